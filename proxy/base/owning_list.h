// Intrusive list that owns its items: adopt() takes one in, extract() gives one back, and the list
// destroys what is left with it.
#pragma once

#include <memory>
#include <utility>

#include "proxy/base/intrusive_list.h"

namespace berth {

// T derives (publicly) from ListHook<Tag>.
template <class T, class Tag>
class OwningList {
 public:
  OwningList() = default;
  OwningList(const OwningList&) = delete;
  OwningList& operator=(const OwningList&) = delete;
  ~OwningList() { clear(); }

  bool empty() const { return items_.empty(); }
  T& front() { return items_.front(); }
  T& back() { return items_.back(); }

  // Each takes an item in, at the end, at the beginning or before `place`, which is in this list.
  // The reference is valid until the item is extracted.
  T& adopt(std::unique_ptr<T> item) {
    items_.push_back(*item);
    return *item.release();
  }
  T& adopt_front(std::unique_ptr<T> item) {
    items_.push_front(*item);
    return *item.release();
  }
  T& adopt_before(T& place, std::unique_ptr<T> item) {
    items_.insert_before(place, *item);
    return *item.release();
  }

  // Takes an item out. REQUIRES: it is in this list.
  [[nodiscard]] std::unique_ptr<T> extract(T& item) {
    BERTH_DCHECK(static_cast<ListHook<Tag>&>(item).linked());
    static_cast<ListHook<Tag>&>(item).unlink();
    return std::unique_ptr<T>(&item);
  }

  void clear() {
    while (!items_.empty()) static_cast<void>(extract(items_.front()));
  }

  // Visits every item; `visit` may extract the item that it is given, and no other.
  template <class F>
  void for_each(F&& visit) {
    items_.for_each(std::forward<F>(visit));
  }
  // The first item that satisfies `pred`, or nullptr.
  template <class F>
  T* find_if(F&& pred) {
    return items_.find_if(std::forward<F>(pred));
  }

 private:
  IntrusiveList<T, Tag> items_;
};

}  // namespace berth
