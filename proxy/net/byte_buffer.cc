#include "proxy/net/byte_buffer.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "proxy/base/check.h"

namespace berth::net {

namespace {

// Freed blocks of the two sizes that come and go with every request, kept for the next one: request
// heads and scratch blocks. Per thread, so that nothing is locked or shared.
constexpr size_t kHeadBlock = 2 * 1024;

template <size_t kMax>
struct Cache {
  std::array<void*, kMax> blocks{};
  size_t count = 0;
  ~Cache() {
    while (count > 0) std::free(blocks[--count]);
  }
  void* take() { return count > 0 ? blocks[--count] : nullptr; }
  bool give(void* block) {
    if (count == kMax) return false;
    blocks[count++] = block;
    return true;
  }
};

thread_local Cache<256> head_blocks;
thread_local Cache<16> scratch_blocks;

// Shared by all workers, but touched only when a connection cannot pass its bytes on at once.
std::atomic<size_t> large_blocks{0};

}  // namespace

size_t buffered_memory() {
  return large_blocks.load(std::memory_order_relaxed);
}

ByteBuffer ByteBuffer::with_capacity(size_t capacity) {
  void* memory = nullptr;
  if (capacity <= kHeadBlock) {
    capacity = kHeadBlock;
    memory = head_blocks.take();
  } else if (capacity == Scratch::kSize) {
    memory = scratch_blocks.take();
  }
  if (memory == nullptr) memory = std::malloc(sizeof(Block) + capacity);
  if (memory == nullptr) throw std::bad_alloc();
  if (capacity > kHeadBlock) large_blocks.fetch_add(capacity, std::memory_order_relaxed);
  return ByteBuffer(new (memory) Block{nullptr, static_cast<uint32_t>(capacity), 0, 0});
}

void ByteBuffer::release(Block* block) {
  if (block->capacity > kHeadBlock) {
    large_blocks.fetch_sub(block->capacity, std::memory_order_relaxed);
  }
  if (block->capacity == kHeadBlock && head_blocks.give(block)) return;
  if (block->capacity == Scratch::kSize && scratch_blocks.give(block)) return;
  std::free(block);
}

ByteBuffer ByteBuffer::copy_of(std::string_view bytes, size_t spare) {
  ByteBuffer out = with_capacity(bytes.size() + spare);
  out.append(bytes);
  return out;
}

void ByteBuffer::keep(std::string_view part) {
  BERTH_DCHECK(part.empty() || contains(part.data()));
  block_->begin = static_cast<uint32_t>(part.data() - block_->bytes());
  block_->end = block_->begin + static_cast<uint32_t>(part.size());
}

void ByteBuffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  if (room() < bytes.size()) {
    ByteBuffer larger = with_capacity((size() + bytes.size()) * 3 / 2);
    if (!empty()) {
      std::memcpy(larger.tail(), data(), size());
      larger.grow(size());
    }
    *this = std::move(larger);
  }
  std::memcpy(tail(), bytes.data(), bytes.size());
  grow(bytes.size());
}

void Chain::push(ByteBuffer buffer) {
  if (buffer.empty()) return;
  size_ += buffer.size();
  ByteBuffer::Block* block = buffer.block_.release();
  block->next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = block;
  last_ = block;
}

void Chain::append(std::string_view bytes) {
  if (bytes.empty()) return;
  if (last_ != nullptr && last_->room() >= bytes.size()) {
    std::memcpy(last_->bytes() + last_->end, bytes.data(), bytes.size());
    last_->end += static_cast<uint32_t>(bytes.size());
    size_ += bytes.size();
    return;
  }
  // The first block is small, as most of what has to wait is; further ones are large, so that
  // memory_budget sees them.
  constexpr size_t kSpare = 16 * 1024;
  push(ByteBuffer::copy_of(bytes, empty() ? 0 : kSpare));
}

ByteBuffer Chain::pop() {
  BERTH_DCHECK(first_ != nullptr);
  ByteBuffer::Block* block = first_;
  first_ = block->next;
  if (first_ == nullptr) last_ = nullptr;
  size_ -= block->end - block->begin;
  block->next = nullptr;
  return ByteBuffer(block);
}

void Chain::consume(size_t n) {
  while (n > 0) {
    const size_t here = first_->end - first_->begin;
    if (n < here) {
      first_->begin += static_cast<uint32_t>(n);
      size_ -= n;
      return;
    }
    n -= here;
    pop();
  }
}

void Chain::clear() {
  while (!empty()) pop();
}

ByteBuffer Scratch::take(std::string_view part) {
  ByteBuffer taken = std::move(buffer_);
  buffer_ = ByteBuffer::with_capacity(kSize);
  taken.keep(part);
  taken.block_->sealed = true;
  return taken;
}

ByteBuffer Scratch::keep(std::string_view part) {
  return part.size() >= kSize / 4 ? take(part) : ByteBuffer::copy_of(part);
}

}  // namespace berth::net
