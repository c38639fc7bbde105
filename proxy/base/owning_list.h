// Intrusive list that owns its items: adopt() takes one in, extract() gives one back, and the list
// destroys what is left with it.
#pragma once

#include <memory>

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

  // The first that `pred` accepts; nullptr: none.
  template <class F>
  T* find_if(F&& pred) {
    return items_.find_if(pred);
  }

  // Appends the item and returns a reference that is valid until it is extracted.
  T& adopt(std::unique_ptr<T> item) {
    items_.push_back(*item);
    return *item.release();
  }

  // Takes an item out. REQUIRES: it is in this list.
  std::unique_ptr<T> extract(T& item) {
    BERTH_DCHECK(static_cast<ListHook<Tag>&>(item).linked());
    static_cast<ListHook<Tag>&>(item).unlink();
    return std::unique_ptr<T>(&item);
  }

  void clear() {
    while (!items_.empty()) extract(items_.front());
  }

 private:
  IntrusiveList<T, Tag> items_;
};

}  // namespace berth
