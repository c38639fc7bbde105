#include "proxy/net/byte_buffer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/net/memory_account.h"

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

// Shared by all workers, so each tells what it has taken and freed in lots.
std::atomic<int64_t> told{0};

// One thread's.
struct Local {
  Cache<256> head_blocks;
  Cache<16> scratch_blocks;
  int64_t untold = 0;

  ~Local() { tell(); }
  void count(int64_t bytes) {
    untold += bytes;
    if (untold > kLot || untold < -kLot) tell();
  }
  void tell() { told.fetch_add(std::exchange(untold, 0), std::memory_order_relaxed); }
  static constexpr auto kLot = static_cast<int64_t>(kUntold);
};

thread_local Local local;

}  // namespace

size_t buffered_memory() {
  const int64_t sum = told.load(std::memory_order_relaxed) + local.untold;
  return sum > 0 ? static_cast<size_t>(sum) : 0;
}

ByteBuffer::Block* ByteBuffer::make_block(size_t capacity) {
  void* memory = nullptr;
  if (capacity <= kHeadBlock) {
    capacity = kHeadBlock;
    memory = local.head_blocks.take();
  } else if (capacity == Scratch::kSize) {
    memory = local.scratch_blocks.take();
  }
  if (memory == nullptr) memory = std::malloc(sizeof(Block) + capacity);
  if (memory == nullptr) throw std::bad_alloc();
  return new (memory) Block{nullptr, nullptr, static_cast<uint32_t>(capacity), 0, 0};
}

ByteBuffer ByteBuffer::with_capacity(size_t capacity) {
  Block* block = make_block(capacity);
  local.count(static_cast<int64_t>(block->footprint()));
  return ByteBuffer(block);
}

void ByteBuffer::charge(Block& block, MemoryAccount* account) {
  if (block.account != nullptr) block.account->give_back(block.footprint());
  block.account = account;
  if (account != nullptr) account->take(block.footprint());
}

void ByteBuffer::release(Block* block) {
  if (block->account != nullptr) block->account->give_back(block->footprint());
  if (block->counted) local.count(-static_cast<int64_t>(block->footprint()));
  if (block->capacity == kHeadBlock && local.head_blocks.give(block)) return;
  if (block->capacity == Scratch::kSize && local.scratch_blocks.give(block)) return;
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
    larger.charge_to(block_ ? block_->account : nullptr);
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
  buffer.charge_to(account_);
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
  // The first block is small, as most of what has to wait is; the others grow with what waits
  // already, so that there are few of
  // them and little of each is empty.
  constexpr size_t kMostSpare = 16 * 1024;
  push(ByteBuffer::copy_of(bytes, std::min(kMostSpare, size_ / 8)));
}

void Chain::account_moved(size_t bytes) const {
  if (account_ != nullptr) account_->moved(bytes);
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
  account_moved(n);
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

ByteBuffer Scratch::fresh() {
  ByteBuffer buffer(ByteBuffer::make_block(kSize));
  buffer.block_->counted = false;
  return buffer;
}

ByteBuffer Scratch::take(std::string_view part) {
  ByteBuffer taken = std::exchange(buffer_, fresh());
  taken.block_->counted = true;
  local.count(static_cast<int64_t>(taken.block_->footprint()));
  taken.keep(part);
  taken.block_->sealed = true;
  return taken;
}

ByteBuffer Scratch::keep(std::string_view part) {
  return gives(part) ? take(part) : ByteBuffer::copy_of(part);
}

}  // namespace berth::net
