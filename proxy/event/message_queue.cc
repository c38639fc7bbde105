#include "proxy/event/message_queue.h"

namespace berth::event {

bool MessageQueue::push(std::unique_ptr<Message> message) {
  Message* added = message.release();
  Message* top = newest_.load(std::memory_order_relaxed);
  do {
    added->next_ = top;
  } while (!newest_.compare_exchange_weak(top, added, std::memory_order_seq_cst,
                                          std::memory_order_relaxed));
  return top == nullptr;
}

Message* MessageQueue::reversed(Message* stack) {
  Message* out = nullptr;
  while (stack != nullptr) {
    Message* next = stack->next_;
    stack->next_ = out;
    out = stack;
    stack = next;
  }
  return out;
}

void MessageQueue::deliver_all() {
  Message* oldest = reversed(newest_.exchange(nullptr, std::memory_order_seq_cst));
  while (oldest != nullptr) {
    std::unique_ptr<Message> message(oldest);
    oldest = oldest->next_;
    message->deliver();
  }
}

MessageQueue::~MessageQueue() {
  Message* left = newest_.exchange(nullptr);
  while (left != nullptr) {
    std::unique_ptr<Message> message(left);
    left = left->next_;
  }
}

}  // namespace berth::event
