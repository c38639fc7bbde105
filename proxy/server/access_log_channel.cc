#include "proxy/server/access_log_channel.h"

#include <unistd.h>

#include <utility>

#include "proxy/base/check.h"

namespace berth::server {

AccessLogChannel::AccessLogChannel() {
  // Not touched, and so not resident, before there are lines.
  for (Buffer& buffer : buffers_) buffer.data = std::make_unique_for_overwrite<char[]>(kBufferSize);
}

char* AccessLogChannel::reserve(size_t size, bool& handed_over) {
  BERTH_DCHECK(size <= kBufferSize);
  handed_over = false;
  if (current().full.load(std::memory_order_acquire)) return nullptr;
  if (kBufferSize - current().used < size) {
    handed_over = hand_over();
    if (current().full.load(std::memory_order_acquire)) return nullptr;
  }
  return current().data.get() + current().used;
}

bool AccessLogChannel::hand_over() {
  Buffer& buffer = current();
  // The order matters: what the writer has not given back is not read.
  if (buffer.full.load(std::memory_order_acquire) || buffer.used == 0) return false;
  buffer.full.store(true, std::memory_order_release);
  filling_ ^= 1;
  return true;
}

std::string_view AccessLogChannel::front() const {
  const Buffer& buffer = buffers_[writing_];
  if (!buffer.full.load(std::memory_order_acquire)) return {};
  return {buffer.data.get(), buffer.used};
}

void AccessLogChannel::pop() {
  Buffer& buffer = buffers_[writing_];
  buffer.used = 0;
  buffer.full.store(false, std::memory_order_release);
  writing_ ^= 1;
}

AccessLogRules::AccessLogRules(const config::AccessLog& config)
    : enabled(config.enabled),
      format(config.format),
      min_status(config.min_status),
      sample(config.sample != 0       ? config.sample
             : config.min_status == 0 ? 1
                                      : 0) {
  if (auto parsed = config::parse_log_template(config.pattern)) pieces = std::move(*parsed);
}

AccessLogShared::AccessLogShared(const config::AccessLog& config)
    : rules_(std::make_shared<const AccessLogRules>(config)) {}

void AccessLogShared::set_rules(const config::AccessLog& config) {
  auto rules = std::make_shared<const AccessLogRules>(config);
  const std::lock_guard lock(mutex_);
  rules_ = std::move(rules);
  version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const AccessLogRules> AccessLogShared::rules() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

void AccessLogShared::wake() const {
  const uint64_t one = 1;
  // Fails only when the count is at its maximum, and then the writer is awake.
  if (::write(wake_fd.get(), &one, sizeof(one)) < 0) return;
}

AccessLogWorker::AccessLogWorker(std::shared_ptr<const AccessLogShared> shared,
                                 std::shared_ptr<AccessLogChannel> channel,
                                 std::shared_ptr<stats::WorkerStats> stats)
    : shared_(std::move(shared)), channel_(std::move(channel)), stats_(std::move(stats)) {}

AccessLogWorker::~AccessLogWorker() {
  flush();
  channel_->close();
  shared_->wake();
}

void AccessLogWorker::log(const exchange::AccessRecord& record) {
  if (const uint64_t version = shared_->version(); version != version_) [[unlikely]] {
    version_ = version;
    rules_ = shared_->rules();
  }
  if (!wanted(record)) return;
  bool handed_over = false;
  char* const out = channel_->reserve(access_line_bound(record), handed_over);
  if (handed_over) shared_->wake();
  if (out == nullptr) {
    stats_->access_log_dropped.add();
    return;
  }
  channel_->commit(write(out, record));
}

bool AccessLogWorker::wanted(const exchange::AccessRecord& record) {
  const AccessLogRules& rules = *rules_;
  if (!rules.enabled) return false;
  if (rules.sample == 1) return true;
  const bool failed = info(record.reason).severity == Severity::Error;
  if (rules.min_status != 0 && (record.status >= rules.min_status || failed)) return true;
  if (rules.sample == 0 || ++passed_over_ < rules.sample) return false;
  passed_over_ = 0;
  return true;
}

size_t AccessLogWorker::write(char* out, const exchange::AccessRecord& record) {
  switch (rules_->format) {
    case config::LogFormat::Json:
      return write_json_line(out, record, time_);
    case config::LogFormat::Combined:
      return write_combined_line(out, record, time_);
    case config::LogFormat::Template:
      return write_template_line(out, record, time_, rules_->pieces);
  }
  return 0;
}

void AccessLogWorker::flush() {
  if (channel_->hand_over()) shared_->wake();
  if (const uint64_t lost = channel_->take_lost(); lost != 0) stats_->access_log_dropped.add(lost);
}

}  // namespace berth::server
