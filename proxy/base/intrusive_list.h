// Doubly linked list of objects that carry their own hook: no allocation, O(1) removal by object.
//
// A hook that is destroyed while linked leaves its list. An object can be in as many lists as it
// has hooks; the Tag tells them apart. The list never owns.
#pragma once

#include <cstddef>

#include "proxy/base/check.h"

namespace berth {

template <class Tag>
class ListHook {
 public:
  ListHook() = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { unlink(); }

  bool linked() const { return next_ != nullptr; }
  void unlink() {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    next_ = prev_ = nullptr;
  }

 private:
  template <class T, class U>
  friend class IntrusiveList;
  ListHook* prev_ = nullptr;
  ListHook* next_ = nullptr;
};

// T derives (publicly) from ListHook<Tag>.
template <class T, class Tag>
class IntrusiveList {
 public:
  using Hook = ListHook<Tag>;

  IntrusiveList() { root_.prev_ = root_.next_ = &root_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (!empty()) front().Hook::unlink();
    root_.next_ = root_.prev_ = nullptr;
  }

  bool empty() const { return root_.next_ == &root_; }
  T& front() { return *static_cast<T*>(root_.next_); }
  T& back() { return *static_cast<T*>(root_.prev_); }
  void push_front(T& item) { insert(root_.next_, item); }
  void push_back(T& item) { insert(&root_, item); }

  // `place` is in this list.
  void insert_before(T& place, T& item) { insert(static_cast<Hook*>(&place), item); }

  T* pop_front() {
    if (empty()) return nullptr;
    T& item = front();
    item.Hook::unlink();
    return &item;
  }

  // Visits every item; `visit` may unlink the item that it is given, and no other.
  template <class F>
  void for_each(F&& visit) {
    for (Hook* at = root_.next_; at != &root_;) {
      Hook* next = at->next_;
      visit(*static_cast<T*>(at));
      at = next;
    }
  }

  // The first item that satisfies `pred`, or nullptr.
  template <class F>
  T* find_if(F&& pred) {
    for (Hook* at = root_.next_; at != &root_; at = at->next_) {
      if (pred(*static_cast<T*>(at))) return static_cast<T*>(at);
    }
    return nullptr;
  }

 private:
  void insert(Hook* before, T& item) {
    Hook& hook = item;
    BERTH_DCHECK(!hook.linked());
    hook.prev_ = before->prev_;
    hook.next_ = before;
    before->prev_->next_ = &hook;
    before->prev_ = &hook;
  }

  Hook root_;
};

}  // namespace berth
