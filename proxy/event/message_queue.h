// Lock-free queue of messages: many senders, one receiver.
#pragma once

#include <atomic>
#include <memory>

#include "proxy/event/mailbox.h"

namespace berth::event {

class MessageQueue {
 public:
  MessageQueue() = default;
  MessageQueue(const MessageQueue&) = delete;
  MessageQueue& operator=(const MessageQueue&) = delete;
  ~MessageQueue();

  // True if the queue was empty: then the receiver is to be woken. Thread: any.
  bool push(std::unique_ptr<Message> message);

  // Delivers everything that is there, oldest first. Thread: the receiver's.
  void deliver_all();

 private:
  static Message* reversed(Message* stack);
  std::atomic<Message*> newest_{nullptr};
};

}  // namespace berth::event
