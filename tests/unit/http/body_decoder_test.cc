// Bodies taken apart, in one piece and in many.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "proxy/http/body.h"
#include "tests/unit/http/head_dump.h"

namespace berth::http {
namespace {

struct Decoded {
  std::string payload;
  std::string trailers;
  size_t consumed = 0;
  bool complete = false;
  CloseReason refusal = CloseReason::None;

  std::string text() const {
    std::string out(info(refusal).label);
    if (refusal == CloseReason::None) {
      out += " " + std::to_string(consumed) + " " + std::to_string(complete) + " " + payload +
             " | " + trailers;
    }
    return printable(out);
  }
};

// Feeds pieces of `step` bytes (0: of random sizes), each from memory of its own.
Decoded decode_in_steps(BodyFraming framing, std::string_view bytes, size_t step) {
  BodyDecoder decoder(framing);
  Decoded out;
  std::minstd_rand random(static_cast<unsigned>(bytes.size()));
  while (out.consumed < bytes.size() && !decoder.complete()) {
    const size_t wanted = step != 0 ? step : 1 + random() % 20;
    const size_t size = std::min(wanted, bytes.size() - out.consumed);
    const auto piece = std::make_unique_for_overwrite<char[]>(size);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(out.consumed), size, piece.get());
    const auto done = decoder.decode(piece.get(), size);
    if (!done) {
      out.refusal = done.error();
      return out;
    }
    EXPECT_EQ(done->complete, decoder.complete());
    EXPECT_TRUE(done->consumed == size || done->complete);
    EXPECT_LE(done->payload, done->consumed);
    // What lies behind the end is someone else's.
    EXPECT_EQ(std::string_view(piece.get() + done->consumed, size - done->consumed),
              bytes.substr(out.consumed + done->consumed, size - done->consumed));
    out.payload.append(piece.get(), done->payload);
    out.consumed += done->consumed;
  }
  out.complete = decoder.complete();
  out.trailers = decoder.trailers();
  return out;
}

Decoded decode(BodyFraming framing, std::string_view bytes) {
  SCOPED_TRACE(printable(bytes.substr(0, 200)));
  Decoded whole = decode_in_steps(framing, bytes, bytes.size() + 1);
  for (const size_t step : {1u, 2u, 3u, 7u, 0u}) {
    EXPECT_EQ(decode_in_steps(framing, bytes, step).text(), whole.text()) << "step " << step;
  }
  return whole;
}

Decoded decode_chunked(std::string_view bytes) {
  return decode({BodyKind::Chunked, 0}, bytes);
}

TEST(BodyDecoder, NoneIsCompleteAtOnce) {
  BodyDecoder decoder;
  EXPECT_TRUE(decoder.complete());
  char next[] = "GET";
  const auto step = decoder.decode(next, 3);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->consumed, 0u);
  EXPECT_TRUE(step->complete);
  EXPECT_TRUE(BodyDecoder({BodyKind::Length, 0}).complete());
}

TEST(BodyDecoder, LengthTakesExactlyItsBytes) {
  const Decoded body = decode({BodyKind::Length, 5}, "helloGET / HTTP/1.1");
  EXPECT_EQ(body.payload, "hello");
  EXPECT_EQ(body.consumed, 5u);
  EXPECT_TRUE(body.complete);
  EXPECT_FALSE(decode({BodyKind::Length, 5}, "hell").complete);
}

TEST(BodyDecoder, LengthCountsDown) {
  BodyDecoder decoder({BodyKind::Length, 10});
  char bytes[] = "abcd";
  ASSERT_TRUE(decoder.decode(bytes, 4));
  EXPECT_EQ(decoder.remaining(), 6u);
  EXPECT_FALSE(decoder.finish());
  decoder.skip(5);
  EXPECT_EQ(decoder.remaining(), 1u);
  EXPECT_FALSE(decoder.complete());
  decoder.skip(1);
  EXPECT_TRUE(decoder.complete());
}

TEST(BodyDecoder, UntilCloseEndsWithTheConnection) {
  BodyDecoder decoder({BodyKind::UntilClose, 0});
  char bytes[] = "abcd";
  const auto step = decoder.decode(bytes, 4);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->payload, 4u);
  EXPECT_FALSE(step->complete);
  EXPECT_TRUE(decoder.finish());
  EXPECT_TRUE(decoder.complete());
}

TEST(BodyDecoder, CloseDoesNotCompleteChunked) {
  BodyDecoder decoder({BodyKind::Chunked, 0});
  EXPECT_FALSE(decoder.finish());
  EXPECT_FALSE(decoder.complete());
}

TEST(Chunked, SqueezesTheFramingOut) {
  struct Case {
    std::string bytes, payload;
  };
  const Case cases[] = {
      {"0\r\n\r\n", ""},
      {"5\r\nhello\r\n0\r\n\r\n", "hello"},
      {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
      {"a\r\n0123456789\r\nA\r\nabcdefghij\r\n000\r\n\r\n", "0123456789abcdefghij"},
      {"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello"},
      {"5;ext\r\nhello\r\n0;last=\"1;2\" ;\ta=b\r\n\r\n", "hello"},
      {"5;a;b=c;d=\"e\"\r\nhello\r\n0; x = y ; z\r\n\r\n", "hello"},
      {"5;a=\"\"\r\nhello\r\n0;a=\"\\\"\t\\\\ \xc3\xa9=;\" \r\n\r\n", "hello"},
      {"5;" + std::string(250, 'x') + "\r\nhello\r\n0\r\n\r\n", "hello"},
      {"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"},
  };
  for (const Case& c : cases) {
    const Decoded body = decode_chunked(c.bytes + "GET / HTTP/1.1\r\n");
    EXPECT_EQ(body.refusal, CloseReason::None) << printable(c.bytes);
    EXPECT_EQ(body.payload, c.payload);
    EXPECT_EQ(body.consumed, c.bytes.size());
    EXPECT_TRUE(body.complete);
    EXPECT_EQ(body.trailers, "");
  }
}

TEST(Chunked, IsIncompleteUntilItsEnd) {
  const std::string bytes = "5;x\r\nhello\r\n0\r\nA: b\r\n\r\n";
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Decoded body = decode_chunked(std::string_view(bytes).substr(0, size));
    EXPECT_EQ(body.refusal, CloseReason::None) << size;
    EXPECT_FALSE(body.complete) << size;
  }
}

TEST(Chunked, LargeRandomBodies) {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    std::string payload, bytes;
    for (unsigned chunks = random() % 20; chunks > 0; --chunks) {
      std::string chunk(1 + random() % 3000, '\0');
      for (char& c : chunk) c = static_cast<char>(random());
      char size[18];
      bytes.append(size, write_chunk_size(size, chunk.size())).append(chunk).append("\r\n");
      payload += chunk;
    }
    bytes += kLastChunk;
    const Decoded body = decode_chunked(bytes);
    EXPECT_TRUE(body.complete);
    EXPECT_EQ(body.payload, payload);
  }
}

TEST(Chunked, RefusesBadFraming) {
  for (const char* bytes : {"\r\n",
                            "\n",
                            "x\r\n",
                            ";x\r\n",
                            "g\r\n",
                            "+5\r\nhello\r\n",
                            "-5\r\nhello\r\n",
                            " 5\r\nhello\r\n",
                            "0x5\r\nhello\r\n",
                            "5 \r\nhello\r\n",
                            "5 ;x\r\nhello\r\n",
                            "5\t\r\nhello\r\n",
                            "5\nhello\r\n",
                            "5\rhello\r\n",
                            "5\r\rhello\r\n",
                            "5;\nhello\r\n",
                            "5;a\rb\r\n",
                            "5;\r\nhello\r\n",
                            "5; \r\nhello\r\n",
                            "5;;a\r\nhello\r\n",
                            "5;a;\r\nhello\r\n",
                            "5;=\r\nhello\r\n",
                            "5;=a\r\nhello\r\n",
                            "5;a=\r\nhello\r\n",
                            "5;a= \r\nhello\r\n",
                            "5;a==b\r\nhello\r\n",
                            "5;a=b=c\r\nhello\r\n",
                            "5;a b\r\nhello\r\n",
                            "5;a=b c\r\nhello\r\n",
                            "5;bad[=x\r\nhello\r\n",
                            "5;a=[x\r\nhello\r\n",
                            "5;\"a\"\r\nhello\r\n",
                            "5;a=\"b\r\nhello\r\n",
                            "5;a=\"b\\\"\r\nhello\r\n",
                            "5;a=\"b\"c\r\nhello\r\n",
                            "5;a=b\"c\"\r\nhello\r\n",
                            "5;\xc3\xa9\r\nhello\r\n",
                            "5;a\x01\r\n",
                            "5;a\x7f\r\n",
                            "5\r\nhello0\r\n\r\n",
                            "5\r\nhello\n0\r\n\r\n",
                            "5\r\nhello\r0\r\n\r\n",
                            "5\r\nhello\r\r\n",
                            "5\r\nhello!\r\n",
                            "5\r\nhello\r\n\r\n",
                            "8000000000000000\r\n",
                            "ffffffffffffffff\r\n",
                            "10000000000000000\r\n",
                            "00000000000000005\r\nhello\r\n",
                            "5,5\r\n",
                            "5.\r\n",
                            "0 \r\n\r\n",
                            "0;\n\r\n"}) {
    EXPECT_EQ(decode_chunked(bytes).refusal, CloseReason::BadChunk) << printable(bytes);
  }
  // Right but for one byte where a CR or LF must be.
  for (const char* bytes : {"5\rXhello\r\n0\r\n\r\n", "5X\nhello\r\n0\r\n\r\n",
                            "5\r\nhello\rX0\r\n\r\n", "5\r\nhelloX\n0\r\n\r\n", "0\rX\r\n"}) {
    EXPECT_EQ(decode_chunked(bytes).refusal, CloseReason::BadChunk) << printable(bytes);
  }
  const std::string endless = "5;" + std::string(300, 'x');
  EXPECT_EQ(decode_chunked(endless).refusal, CloseReason::BadChunk);
  EXPECT_EQ(decode_chunked(std::string("5;\0\r\n", 5)).refusal, CloseReason::BadChunk);
}

TEST(Chunked, LargestSize) {
  BodyDecoder decoder({BodyKind::Chunked, 0});
  char bytes[] = "7fffffffffffffff\r\nx";
  const auto step = decoder.decode(bytes, sizeof bytes - 1);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->payload, 1u);
}

TEST(Trailers, AreKept) {
  const std::string end = "0\r\nServer-Timing: x\r\nETag:y\r\ngrpc-status: 0\r\n\r\n";
  const Decoded body = decode_chunked("1\r\nz\r\n" + end + "next");
  EXPECT_TRUE(body.complete);
  EXPECT_EQ(body.payload, "z");
  EXPECT_EQ(body.trailers, "Server-Timing: x\r\nETag:y\r\ngrpc-status: 0\r\n");
  EXPECT_EQ(body.consumed, 6 + end.size());
}

TEST(Trailers, DropsWhatMayNotComeLate) {
  for (const char* name : {"Content-Length",
                           "Transfer-Encoding",
                           "Host",
                           "Trailer",
                           "Connection",
                           "Upgrade",
                           "Keep-Alive",
                           "TE",
                           "Expect",
                           "Authorization",
                           "Proxy-Authorization",
                           "Cookie",
                           "Set-Cookie",
                           "Content-Type",
                           "Content-Encoding",
                           "Content-Range",
                           "Range",
                           "If-Match",
                           "Max-Forwards",
                           "Cache-Control",
                           "X-Forwarded-For",
                           "Forwarded",
                           "X-Request-Id",
                           "WWW-Authenticate",
                           "CONTENT-LENGTH",
                           "Location"}) {
    const std::string line = std::string(name) + ": 5\r\n";
    EXPECT_EQ(decode_chunked("0\r\nA: b\r\n" + line + "C: d\r\n" + line + "\r\n").trailers,
              "A: b\r\nC: d\r\n")
        << name;
    EXPECT_EQ(decode_chunked("0\r\n" + line + "\r\n").trailers, "") << name;
  }
}

TEST(Trailers, RefusesBadLines) {
  for (const char* lines :
       {"A : b\r\n\r\n", "A\r\n\r\n", ": b\r\n\r\n", " A: b\r\n\r\n", "A: b\r\n c\r\n\r\n",
        "A: b\n\r\n", "A: b\r\n\n", "\n", "A: b\rc\r\n\r\n", "A: \x01\r\n\r\n", "A(: b\r\n\r\n",
        "\rA: b\r\n\r\n", "A: b\r\r\n\r\n"}) {
    EXPECT_EQ(decode_chunked(std::string("0\r\n") + lines).refusal, CloseReason::BadTrailer)
        << printable(lines);
  }
}

TEST(Trailers, AreLimited) {
  const auto section = [](const std::string& line, size_t size) {
    std::string out = "0\r\n";
    while (out.size() - 3 + line.size() <= size) out += line;
    return out;
  };
  // Exactly the limit, with the empty line.
  const std::string line = "A: 123456789abc\r\n";
  std::string fits = section("A: b\r\n", BodyDecoder::kMaxTrailer - 2 - 6);
  fits += "A: " + std::string(BodyDecoder::kMaxTrailer - 2 - (fits.size() - 3) - 5, 'x') + "\r\n";
  EXPECT_TRUE(decode_chunked(fits + "\r\n").complete);
  EXPECT_EQ(decode_chunked(fits + "A\r\n").refusal, CloseReason::BadTrailer);
  // Lines that are dropped count as well.
  EXPECT_EQ(decode_chunked(section("Cookie: x\r\n", 9000)).refusal, CloseReason::BadTrailer);
  EXPECT_EQ(decode_chunked("0\r\nA: " + std::string(9000, 'x')).refusal, CloseReason::BadTrailer);
}

TEST(ChunkSize, IsWrittenInHex) {
  const auto written = [](uint64_t size) {
    char out[18];
    return std::string(out, write_chunk_size(out, size));
  };
  EXPECT_EQ(written(0), "0\r\n");
  EXPECT_EQ(written(9), "9\r\n");
  EXPECT_EQ(written(10), "a\r\n");
  EXPECT_EQ(written(16), "10\r\n");
  EXPECT_EQ(written(65535), "ffff\r\n");
  EXPECT_EQ(written(UINT64_MAX), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace berth::http
