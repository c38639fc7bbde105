// HTTP/2 from a hostile client: whatever comes, every request that is accepted is one HTTP/1 head,
// its content is as long as announced, and every stream that was opened is closed once.
#include <algorithm>
#include <deque>
#include <string>

#include "proxy/http/http2_session.h"
#include "tests/fuzz/http_fuzz.h"

namespace berth::http {
namespace {

std::string_view input;  // of this run, for what is said when something is wrong

struct Stream final : Http2Stream {
  uint64_t announced = HeadSummary::kNoLength;
  uint64_t content = 0;
  bool begun = false;
  bool ended = false;
  bool refused = false;
  bool closed = false;

 private:
  void on_request(const RequestHead& head, size_t size, bool complete) override {
    require(!begun, "one head", input);
    begun = true;
    ended = complete;
    if (head.summary.has_length()) announced = head.summary.content_length;
    require(!head.host.empty(), "a host", input);
    require(head.path.front() == '/' || head.path == "*", "a path", input);
    require(size <= 2000 + 256, "within the limit", input);
    size_t hosts = 0;
    for (const HeaderField& field : head.fields) {
      hosts += field.id == HeaderId::Host ? 1 : 0;
      const auto harmless = [](char c) { return c != '\r' && c != '\n' && c != '\0'; };
      require(std::all_of(field.name.begin(), field.name.end(), harmless), "a name", input);
      require(std::all_of(field.value.begin(), field.value.end(), harmless), "a value", input);
    }
    require(hosts == 1, "one Host", input);
    require(!(head.summary.chunked && complete), "chunked means that content comes", input);
  }
  void on_refused(Refusal reason, Method, size_t) override {
    require(!begun && info(reason).status != 0, "a refusal has a status", input);
    begun = refused = true;
  }
  void on_content(std::string_view bytes) override {
    require(begun && !ended && !refused && !closed, "content in its place", input);
    content += bytes.size();
    require(announced == HeadSummary::kNoLength || content <= announced, "not too much", input);
  }
  void on_request_end(std::string_view trailers) override {
    require(begun && !ended && !refused && !closed, "an end in its place", input);
    ended = true;
    require(announced == HeadSummary::kNoLength || content == announced, "all of it", input);
    require(trailers.empty() || trailers.ends_with("\r\n"), "lines", input);
  }
  void on_bad_content(Refusal) override {
    require(begun && !refused && !closed, "content in its place", input);
    refused = true;
  }
  void on_early_end() override {}
  void on_progress(size_t) override {}
  void on_closed() override {
    require(!closed, "closed once", input);
    closed = true;
  }
};

class Run final : private Http2Events {
 public:
  explicit Run(uint8_t seed) : pieces_(seed), choices_(seed) {}

  void feed(std::string_view bytes) {
    TimePoint now{};
    while (!bytes.empty() && session_.failure() == CloseReason::None) {
      const ExactCopy piece(bytes.substr(0, pieces_.next()));
      bytes.remove_prefix(piece.size());
      session_.receive(piece.view(), now += std::chrono::milliseconds(1));
      answer();
      produce();
    }
  }

  void finish() {
    if (session_.failure() != CloseReason::None) {
      produce();
      require(session_.finished(), "a failure is the end", input);
    }
    const auto open = std::count_if(streams_.begin(), streams_.end(),
                                    [](const Stream& stream) { return !stream.closed; });
    require(static_cast<size_t>(open) == session_.streams(), "streams are counted", input);
  }

 private:
  Http2Stream& open_stream() override { return streams_.emplace_back(); }
  void on_ping_answered() override {}

  // Some requests are answered at once, some late, some never, some with a reset.
  void answer() {
    for (Stream& stream : streams_) {
      if (!stream.begun || stream.closed || stream.reset_by_us()) continue;
      switch (choices_.next() % 5) {
        case 0:
          session_.consume_stream(stream, 0);
          break;
        case 1:
          if (stream.refused) session_.end_with(stream, Http2Error::ProtocolError);
          if (answered(stream)) break;
          session_.send_interim(stream, 103, {{"Link", "x"}});
          session_.send_head(stream, 200, {{"Content-Type", "text/plain"}}, false);
          session_.send_content(stream, std::string(3000, 'x'), scratch_, true, "X-Sum: 1\r\n");
          break;
        case 2:
          if (!answered(stream)) session_.send_head(stream, 204, {}, true);
          break;
        case 3:
          session_.reset(stream, Http2Error::InternalError);
          break;
        default:
          break;
      }
    }
  }
  bool answered(const Stream& stream) {
    if (std::find(answered_.begin(), answered_.end(), stream.id()) != answered_.end()) return true;
    answered_.push_back(stream.id());
    return false;
  }

  void produce() {
    static char room[Http2Session::kRoom];
    for (int rounds = 0; session_.produce(room) >= Http2Session::kEnough; ++rounds) {
      require(rounds < 100, "output ends", input);
    }
  }

  Pieces pieces_;
  Pieces choices_;
  Random random_{1};
  net::Scratch scratch_;
  std::deque<Stream> streams_;
  std::vector<uint32_t> answered_;
  Http2Events& events_ = *this;
  Http2Session session_{
      {.head = {.max_head = 2000, .max_target = 500}, .max_streams = 4}, events_, random_};
};

}  // namespace
}  // namespace berth::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace berth::http;  // NOLINT(google-build-using-namespace): a function that C calls
  if (size < 2) return 0;
  input = {reinterpret_cast<const char*>(data) + 2, size - 2};
  Run run(data[0]);
  // Nearly always what lies behind the beginning is of interest.
  if (data[1] % 16 != 0) {
    run.feed(kHttp2Preface);
    run.feed(std::string_view("\0\0\0\4\0\0\0\0\0", 9));
  }
  run.feed(input);
  run.finish();
  return 0;
}
