// Whatever Berth accepts means the same to Node: method, target, fields, body and above all where
// the message ends. Node's parser (llhttp) runs in a child process, node_parser.mjs; run this from
// the top of the repository. Node may refuse more than Berth does (methods that it does not know).
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "proxy/http/body.h"
#include "tests/fuzz/http_fuzz.h"

namespace berth::http {
namespace {

class NodeParser {
 public:
  NodeParser() {
    int to_node[2];
    int from_node[2];
    if (pipe(to_node) != 0 || pipe(from_node) != 0) std::abort();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to_node[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from_node[1], 1);
    for (const int fd : {to_node[0], to_node[1], from_node[0], from_node[1]}) {
      posix_spawn_file_actions_addclose(&actions, fd);
    }
    const char* argv[] = {"node", "--no-deprecation", "tests/fuzz/node_parser.mjs", nullptr};
    pid_t pid;
    if (posix_spawnp(&pid, "node", &actions, nullptr, const_cast<char**>(argv), environ) != 0) {
      std::fprintf(stderr, "node does not start\n");
      std::abort();
    }
    posix_spawn_file_actions_destroy(&actions);
    close(to_node[0]);
    close(from_node[1]);
    to_node_ = to_node[1];
    from_node_ = from_node[0];
  }

  std::string parse(bool response, bool closed, std::string_view bytes) {
    std::string request;
    append_size(request, bytes.size());
    request += static_cast<char>(response);
    request += static_cast<char>(closed);
    request += bytes;
    for (size_t done = 0; done < request.size();) {
      const ssize_t n = write(to_node_, request.data() + done, request.size() - done);
      if (n <= 0) std::abort();
      done += static_cast<size_t>(n);
    }
    unsigned char size[4];
    read_fully(size, sizeof size);
    std::string answer(size[0] | size[1] << 8 | size[2] << 16 | size_t{size[3]} << 24, '\0');
    read_fully(answer.data(), answer.size());
    return answer;
  }

 private:
  static void append_size(std::string& out, size_t size) {
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(size >> shift & 0xff);
  }
  void read_fully(void* to, size_t size) {
    for (size_t done = 0; done < size;) {
      const ssize_t n = read(from_node_, static_cast<char*>(to) + done, size - done);
      if (n <= 0) {
        std::fprintf(stderr, "node_parser.mjs is gone\n");
        std::abort();
      }
      done += static_cast<size_t>(n);
    }
  }

  int to_node_;
  int from_node_;
};

NodeParser& node() {
  static NodeParser parser;
  return parser;
}

struct Message {
  bool complete = false;
  bool until_close = false;
  size_t size = 0;  // of head and body, as far as they are there
  std::string payload;
  std::string trailers;
};

// False: the body is refused.
bool take_body(std::string_view bytes, size_t head_size, BodyFraming framing, Message& out) {
  ExactCopy body(bytes.substr(head_size));
  BodyDecoder decoder(framing);
  const auto step = decoder.decode(body.data(), body.size());
  if (!step) return false;
  out.complete = decoder.complete() || decoder.finish();
  out.until_close = framing.kind == BodyKind::UntilClose;
  out.size = head_size + step->consumed;
  out.payload.assign(body.data(), step->payload);
  out.trailers = decoder.trailers();
  return true;
}

std::string expected_text(const std::string& start, const HeaderList& fields,
                          const Message& message) {
  std::string out = message.complete ? "complete\n" : "incomplete\n";
  out += start;
  for (const HeaderField& f : fields) out.append("\n").append(f.name).append("=").append(f.value);
  return out + "\nbody=" + message.payload;
}

void compare(bool response, bool closed, std::string_view bytes, const std::string& expected,
             const char* what) {
  const std::string answer = node().parse(response, closed, bytes);
  if (answer.starts_with("refused")) return;
  require(answer == expected, what, bytes, "Berth: " + expected + "\nNode:  " + answer);
}

// The request as Berth sends it on: without hop-by-hop fields, the body framed anew.
std::string forwarded(const RequestHead& head, const Message& message) {
  std::string out(message.size * 2 + message.payload.size() + 256, '\0');
  HeadWriter writer(out.data(), out.size());
  writer.request_line(head.method_text, head.path);
  writer.fields(head.fields, [](const HeaderField& f) { return !f.hop_by_hop; });
  if (head.summary.chunked) {
    writer.field("Transfer-Encoding", "chunked");
    writer.finish();
    if (!message.payload.empty()) {
      char size[18];
      writer.append({size, write_chunk_size(size, message.payload.size())});
      writer.append(message.payload);
      writer.append("\r\n");
    }
    writer.append("0\r\n");
    writer.append(message.trailers);
    writer.append("\r\n");
  } else {
    writer.finish();
    writer.append(message.payload);
  }
  require(!writer.overflowed(), "room", out);
  return std::string(writer.text());
}

void check_request(std::string_view bytes) {
  static RequestHead head;
  HeadProgress progress;
  const ExactCopy copy(bytes);
  const ParseOutcome outcome = HeadParser::parse(copy.view(), {}, progress, head);
  if (outcome.status != ParseStatus::Complete) return;
  Message message;
  if (!take_body(bytes, outcome.head_size, request_framing(head), message)) return;

  const bool asks_upgrade = head.fields.find(HeaderId::Upgrade) != nullptr;
  const std::string method(head.method_text);
  if (!asks_upgrade) {
    compare(false, false, bytes.substr(0, message.size),
            expected_text(method + " " + std::string(head.target) + " 1." +
                              std::to_string(head.summary.minor_version),
                          head.fields, message),
            "Node reads the request alike");
  }
  if (!message.complete || head.summary.upgrade) return;

  std::string expected = "complete\n" + method + " " + std::string(head.path) + " 1.1";
  const std::string sent = forwarded(head, message);
  for (const HeaderField& f : head.fields) {
    if (!f.hop_by_hop) expected.append("\n").append(f.name).append("=").append(f.value);
  }
  if (head.summary.chunked) expected += "\nTransfer-Encoding=chunked";
  compare(false, false, sent, expected + "\nbody=" + message.payload,
          "Node reads the forwarded request alike");
}

void check_response(std::string_view bytes) {
  static ResponseHead head;
  HeadProgress progress;
  const ExactCopy copy(bytes);
  const ParseOutcome outcome = HeadParser::parse(copy.view(), {}, progress, head);
  if (outcome.status != ParseStatus::Complete) return;
  if (head.status < 200 || head.fields.find(HeaderId::Upgrade) != nullptr) return;
  Message message;
  if (!take_body(bytes, outcome.head_size, response_framing(head, Method::Get), message)) return;
  compare(true, message.until_close, bytes.substr(0, message.size),
          expected_text(
              std::to_string(head.status) + " 1." + std::to_string(head.summary.minor_version),
              head.fields, message),
          "Node reads the response alike");
}

}  // namespace
}  // namespace berth::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace berth::http;  // NOLINT(google-build-using-namespace): a function that C calls
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) == 0) {
    check_request(bytes);
  } else {
    check_response(bytes);
  }
  return 0;
}
