// Shared ownership within one thread: a plain count, no atomic instruction.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace berth {

// T derives from LocalCounted.
class LocalCounted {
 public:
  LocalCounted() = default;
  LocalCounted(const LocalCounted&) = delete;
  LocalCounted& operator=(const LocalCounted&) = delete;
  virtual ~LocalCounted() = default;

 private:
  template <class T>
  friend class LocalPtr;
  uint32_t holders_ = 0;
};

// Thread: that of the object, for every copy.
template <class T>
class LocalPtr {
 public:
  LocalPtr() = default;
  explicit LocalPtr(T* object) : object_(object) { hold(); }
  LocalPtr(const LocalPtr& other) : object_(other.object_) { hold(); }
  LocalPtr(LocalPtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  LocalPtr& operator=(LocalPtr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~LocalPtr() {
    if (object_ != nullptr && --object_->LocalCounted::holders_ == 0) {
      std::default_delete<T>()(object_);
    }
  }

  T* get() const { return object_; }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  void hold() {
    if (object_ != nullptr) ++object_->LocalCounted::holders_;
  }
  T* object_ = nullptr;
};

}  // namespace berth
