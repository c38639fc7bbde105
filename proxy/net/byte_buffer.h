// ByteBuffer: a block of memory with unread bytes in it, one pointer in size. Scratch: the block
// into which a worker reads.
//
// A worker reads into its scratch and passes views of it on. Whoever cannot pass bytes on at once
// either copies them (few) or takes the whole block over (many): then the scratch goes on with a
// fresh block. Idle connections hold none.
//
// Events are edge-triggered and added once. A read that does not fill the block has drained the
// socket, except that an incomplete message is read once more, because a reset that came with the
// data is reported only then.
//
// Every block is counted at the size of its memory, whatever is in it, for memory_budget; one that
// is charged to a client's account is counted there too, until it is freed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace berth::net {

class MemoryAccount;

class ByteBuffer {
 public:
  ByteBuffer() = default;
  // Empty, with room for `capacity` bytes.
  static ByteBuffer with_capacity(size_t capacity);
  // A copy, in a block of its own with `spare` bytes of room behind it.
  static ByteBuffer copy_of(std::string_view bytes, size_t spare = 0);

  explicit operator bool() const { return block_ != nullptr; }
  void reset() { block_.reset(); }

  char* data() { return block_ ? block_->bytes() + block_->begin : nullptr; }
  const char* data() const { return block_ ? block_->bytes() + block_->begin : nullptr; }
  size_t size() const { return block_ ? block_->end - block_->begin : 0; }
  bool empty() const { return size() == 0; }
  std::string_view view() const { return {data(), size()}; }
  size_t capacity() const { return block_ ? block_->capacity : 0; }
  // Whose memory this is from now on, what it grows to included; nullptr: nobody's. The account
  // outlives the block.
  void charge_to(MemoryAccount* account) {
    if (block_ != nullptr && block_->account != account) charge(*block_, account);
  }

  // Room behind the unread bytes; none in a block that was taken over from a scratch.
  char* tail() { return block_->bytes() + block_->end; }
  size_t room() const { return block_ ? block_->room() : 0; }
  // `n` bytes have been written to tail().
  void grow(size_t n) { block_->end += static_cast<uint32_t>(n); }
  // The first `n` bytes have been used.
  void consume(size_t n) { block_->begin += static_cast<uint32_t>(n); }
  // Only the bytes of `part`, a view into this buffer, are left unread.
  void keep(std::string_view part);
  bool contains(const char* at) const {
    return block_ && at >= block_->bytes() && at < block_->bytes() + block_->capacity;
  }
  // Appends, moving into a larger block if needed.
  void append(std::string_view bytes);

 private:
  friend class Chain;
  friend class Scratch;
  struct Block {
    Block* next;             // Chain
    MemoryAccount* account;  // nullptr: nobody's
    uint32_t capacity;
    uint32_t begin;
    uint32_t end;
    // The bytes behind `end` may still be looked at by whoever read them into the scratch.
    bool sealed = false;
    bool counted = true;  // in buffered_memory()
    size_t room() const { return sealed ? 0 : capacity - end; }
    size_t footprint() const { return sizeof(Block) + capacity; }
    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  };
  struct Release {
    void operator()(Block* block) const { release(block); }
  };
  static Block* make_block(size_t capacity);
  static void charge(Block& block, MemoryAccount* account);
  static void release(Block* block);
  explicit ByteBuffer(Block* block) : block_(block) {}

  std::unique_ptr<Block, Release> block_;
};

// Bytes of memory in buffers of the whole process: what memory_budget is held against. Exact for
// the calling thread; the others have told all but kUntold of theirs. Thread: any.
size_t buffered_memory();
inline constexpr size_t kUntold = 128 * 1024;

// A queue of buffers.
class Chain {
 public:
  // What is in it is charged to `account`, and what is consumed tells that its owner moves.
  // nullptr: nobody's.
  explicit Chain(MemoryAccount* account = nullptr) : account_(account) {}
  Chain(Chain&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)),
        last_(std::exchange(other.last_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        account_(other.account_) {}
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;
  ~Chain() { clear(); }

  bool empty() const { return first_ == nullptr; }
  size_t size() const { return size_; }  // bytes
  void push(ByteBuffer buffer);
  // Copies, into the last block where there is room.
  void append(std::string_view bytes);
  ByteBuffer pop();
  void consume(size_t n);
  void clear();
  // Visits the unread parts in order until `visit` returns false.
  template <class F>
  void for_each_part(F&& visit) const {
    for (const ByteBuffer::Block* at = first_; at != nullptr; at = at->next) {
      if (!visit(std::string_view(at->bytes() + at->begin, at->end - at->begin))) return;
    }
  }

 private:
  void account_moved(size_t bytes) const;

  ByteBuffer::Block* first_ = nullptr;
  ByteBuffer::Block* last_ = nullptr;
  size_t size_ = 0;
  MemoryAccount* account_ = nullptr;
};

// A worker's read buffer. Thread: its worker's.
class Scratch {
 public:
  static constexpr size_t kSize = 64 * 1024;
  // One connection's reads in one turn: then the others have theirs.
  static constexpr int kReadsPerTurn = 16;

  // Not counted in buffered_memory(): it is empty after every call.
  Scratch() : buffer_(fresh()) {}

  char* data() { return buffer_.tail(); }
  bool contains(const char* at) const { return buffer_.contains(at); }
  // Whether `part` lies in it and fills so much of it that the block is better taken over than
  // copied: what is taken over wastes no more than it holds.
  bool gives(std::string_view part) const {
    return part.size() >= kSize / 2 && contains(part.data());
  }
  // The block, with `part` (a view into it) as its unread bytes; the scratch gets a fresh one.
  ByteBuffer take(std::string_view part);
  // `part` in a buffer of its own: takes the block over or copies, whichever wastes less.
  ByteBuffer keep(std::string_view part);

 private:
  static ByteBuffer fresh();

  ByteBuffer buffer_;
};

}  // namespace berth::net
