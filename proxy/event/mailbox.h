// How workers talk: a message is handed over whole; what it carries belongs to the receiver from
// then on.
#pragma once

#include <memory>

namespace berth::event {

class Message {
 public:
  virtual ~Message() = default;
  // Runs on the receiving worker. A message that is never delivered (its worker has stopped) is
  // destroyed instead: its destructor gives back what it carries.
  virtual void deliver() = 0;

 private:
  friend class MessageQueue;
  Message* next_ = nullptr;
};

class Mailbox {
 public:
  // Thread: any. Messages of one sender arrive in the order in which they were sent.
  virtual void post(std::unique_ptr<Message> message) = 0;

 protected:
  ~Mailbox() = default;
};

}  // namespace berth::event
