#include "proxy/net/proxy_header.h"

#include <gtest/gtest.h>

#include <string>

namespace berth::net {
namespace {

using Status = ProxyHeader::Status;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string v2(uint8_t command, uint8_t family, const std::string& rest) {
  return kSignature + static_cast<char>(command) + static_cast<char>(family) +
         static_cast<char>(rest.size() >> 8) + static_cast<char>(rest.size() & 0xff) + rest;
}

std::string source_of(std::string_view bytes) {
  const ProxyHeader header = parse_proxy_header(bytes);
  EXPECT_EQ(header.status, Status::Complete);
  return header.source.to_string();
}

TEST(ProxyHeaderTest, Version1) {
  const std::string line = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";
  const ProxyHeader header = parse_proxy_header(line + "GET / HTTP/1.1\r\n");
  EXPECT_EQ(header.status, Status::Complete);
  EXPECT_EQ(header.size, line.size());
  EXPECT_EQ(header.source.to_string(), "192.0.2.1:56324");
  EXPECT_EQ(header.destination.to_string(), "198.51.100.2:443");
  EXPECT_EQ(source_of("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"), "[2001:db8::1]:1");
}

TEST(ProxyHeaderTest, AnUnknownClientHasNoAddress) {
  for (const char* line : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 any thing 1 2\r\n"}) {
    const ProxyHeader header = parse_proxy_header(line);
    EXPECT_EQ(header.status, Status::Complete) << line;
    EXPECT_EQ(header.source.kind(), AddressKind::None) << line;
  }
}

TEST(ProxyHeaderTest, Version2) {
  const std::string addresses("\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb", 12);
  const std::string tlvs("\x04\x00\x01\x00", 4);
  EXPECT_EQ(source_of(v2(0x21, 0x11, addresses)), "192.0.2.1:56324");
  const std::string with_more = v2(0x21, 0x11, addresses + tlvs);
  const ProxyHeader header = parse_proxy_header(with_more + "rest");
  EXPECT_EQ(header.size, with_more.size());
  EXPECT_EQ(header.destination.to_string(), "198.51.100.2:443");
  const std::string v6 = std::string(15, '\0') + '\1' + std::string(15, '\0') + '\2' +
                         std::string("\x00\x50\x01\xbb", 4);
  EXPECT_EQ(source_of(v2(0x21, 0x21, v6)), "[::1]:80");
}

TEST(ProxyHeaderTest, ALocalConnectionHasNoAddressAndNeitherHasAnotherFamily) {
  const std::string addresses("\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb", 12);
  for (const std::string& bytes :
       {v2(0x20, 0x00, ""), v2(0x20, 0x11, addresses), v2(0x21, 0x00, ""),
        v2(0x21, 0x31, addresses), v2(0x21, 0x12, addresses)}) {
    const ProxyHeader header = parse_proxy_header(bytes);
    EXPECT_EQ(header.status, Status::Complete);
    EXPECT_EQ(header.source.kind(), AddressKind::None);
  }
}

TEST(ProxyHeaderTest, EveryPrefixIsIncomplete) {
  const std::string addresses("\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb", 12);
  for (const std::string& whole : {std::string("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"),
                                   v2(0x21, 0x11, addresses)}) {
    for (size_t size = 1; size < whole.size(); ++size) {
      EXPECT_EQ(parse_proxy_header(whole.substr(0, size)).status, Status::Incomplete) << size;
    }
  }
}

TEST(ProxyHeaderTest, WhatIsNotExactlyAHeaderIsMalformed) {
  for (const std::string& bytes : {
           std::string("GET / HTTP/1.1\r\n"),
           std::string("PROXY TCP4 192.0.2.1\r\n"),
           std::string("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n"),
           std::string("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n"),
           std::string("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n"),
           std::string("PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n"),
           std::string("PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n"),
           std::string("PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n"),
           std::string("PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n"),
           std::string("PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n"),
           std::string("PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n"),
           std::string("PROXY TCP4 ::1 ::1 1 2\r\n"),
           std::string("PROXY TCP6 1.2.3.4 ::1 1 2\r\n"),
           std::string("PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n"),
           std::string("PROXY TCP4 1.2.3.4\0x 5.6.7.8 1 2\r\n", 34),
           std::string("PROXY TCP4 1.2.3.4 5.6.7.8\0 1 2\r\n", 33),
           std::string("PROXY TCP6 ::1\0 ::2 1 2\r\n", 25),
           std::string("PROXY UNKNOWNS\r\n"),
           std::string("proxy TCP4\r\n"),
           std::string("PROXY \r\n"),
           "PROXY " + std::string(200, 'x'),
           v2(0x11, 0x11, ""),
           v2(0x22, 0x11, ""),
           v2(0x21, 0x11, "too short"),
           kSignature + "\x21\x11\xff\xff" + std::string(100, 'x'),
       }) {
    EXPECT_EQ(parse_proxy_header(bytes).status, Status::Malformed) << bytes;
  }
}

TEST(ProxyHeaderTest, WhatIsWrittenIsReadTheSame) {
  const Address v4 = *Address::parse("192.0.2.1:1234");
  const Address v6 = *Address::parse("[2001:db8::1]:443");
  for (const auto version : {config::ProxyProtocol::V1, config::ProxyProtocol::V2}) {
    for (const Address& source : {v4, v6}) {
      for (const Address& destination : {v4, v6}) {
        const std::string bytes = write_proxy_header(version, source, destination);
        const ProxyHeader header = parse_proxy_header(bytes + "x");
        EXPECT_EQ(header.status, Status::Complete);
        EXPECT_EQ(header.size, bytes.size());
        EXPECT_EQ(header.source, source);
        EXPECT_EQ(header.destination.kind(), source.kind());
        EXPECT_EQ(header.destination.port(), destination.port());
      }
    }
    const std::string unknown =
        write_proxy_header(version, Address(), *Address::parse("unix:/run/berth.sock"));
    const ProxyHeader header = parse_proxy_header(unknown);
    EXPECT_EQ(header.status, Status::Complete);
    EXPECT_EQ(header.source.kind(), AddressKind::None);
  }
}

}  // namespace
}  // namespace berth::net
