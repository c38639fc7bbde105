#include "proxy/net/server_tls_failure.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "proxy/net/tls_client.h"
#include "proxy/net/tls_files.h"
#include "proxy/net/tls_server.h"
#include "tests/unit/net/fake_transport.h"
#include "tests/unit/net/tls_ends.h"

namespace berth::net {
namespace {

// A server that shows `shown`, and Berth, which trusts `trusted` and asks for `name`.
struct Meeting {
  const CertificateFiles& shown;
  const CertificateFiles& trusted;
  std::string name = "localhost";
  const CertificateFiles* clients = nullptr;  // the server wants a certificate from this authority
  const CertificateFiles* ours = nullptr;     // that Berth shows

  CloseReason reason = CloseReason::None;
  std::string detail = {};

  void happen() {
    config::ListenerTls server_settings;
    server_settings.enabled = true;
    server_settings.certificates = {shown.pair};
    if (clients != nullptr) {
      server_settings.client_certificate = config::ClientCertificate::Required;
      server_settings.client_ca = clients->pair.certificate;
    }
    config::UpstreamTls client_settings;
    client_settings.enabled = true;
    client_settings.ca = trusted.pair.certificate;
    if (ours != nullptr) {
      client_settings.certificate = ours->pair.certificate;
      client_settings.key = ours->pair.key;
    }
    TlsFiles read;
    Nobody nobody;
    FakePipe there;
    FakePipe back;
    const auto server = std::make_shared<TlsServer>(
        TlsServer::Options{.settings = server_settings,
                           .listener = ":1",
                           .ticket_keys = std::make_shared<TicketKeys>(),
                           .http2 = false},
        read);
    const auto client = std::make_shared<TlsServerConnector>(
        std::make_shared<TlsClient>(client_settings, read), name);
    const auto theirs = server->accept(std::make_unique<FakeTransport>(there, back), nobody);
    const auto mine = client->connect(std::make_unique<FakeTransport>(back, there), nobody);
    Transport::ConnectResult result{IoStatus::Again, CloseReason::None};
    for (int i = 0; i < 10 && result.status != IoStatus::Reset; ++i) {
      if (result.status == IoStatus::Again) result = mine->finish_connect();
      theirs->finish_connect();
    }
    reason = result.reason;
    if (result.status == IoStatus::Ok) {
      char byte = 0;
      EXPECT_EQ(mine->read(&byte, 1).status, IoStatus::Reset);
      reason = mine->refused();
    }
    detail = mine->failure_detail();
  }
};

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ServerTlsFailureTest, EachHasItsReasonAndSaysWhatWouldMendIt) {
  const CertificateFiles authority({.name = "authority", .authority = true});
  const CertificateFiles stranger({.name = "stranger", .authority = true});
  const CertificateFiles good({.issuer = &authority});
  const CertificateFiles expired({.valid_until = -60, .issuer = &authority});
  const CertificateFiles early({.valid_from = 3600, .issuer = &authority});
  const CertificateFiles lonely({.issuer = &stranger});
  CertificateFiles chain({.issuer = &stranger});
  chain.append(stranger);
  const CertificateFiles itself;

  struct Row {
    const CertificateFiles& shown;
    const char* asked_for;
    CloseReason reason;
    const char* detail;
  };
  const Row rows[] = {
      {good, "other.test", CloseReason::ServerCertificateName,
       "certificate: CN=localhost; asked for: other.test; tls.server_name"},
      {good, "127.0.0.1", CloseReason::ServerCertificateName, "asked for: 127.0.0.1"},
      {expired, "localhost", CloseReason::ServerCertificateExpired, "it was valid until "},
      {early, "localhost", CloseReason::ServerCertificateEarly, "it is valid from "},
      {itself, "localhost", CloseReason::ServerCertificateSelfSigned, "tls.ca may name this"},
      {lonely, "localhost", CloseReason::ServerCertificateChain, "tls.ca may name the authority"},
      {chain, "localhost", CloseReason::ServerCertificateIssuer, "tls.ca names the authorities"},
  };
  for (const Row& row : rows) {
    Meeting meeting{row.shown, authority, row.asked_for};
    meeting.happen();
    EXPECT_EQ(info(meeting.reason).label, info(row.reason).label);
    EXPECT_TRUE(mentions(meeting.detail, row.detail)) << meeting.detail;
  }
}

TEST(ServerTlsFailureTest, AServerThatWantsACertificateIsUnderstoodAfterTheHandshakeToo) {
  const CertificateFiles authority({.name = "authority", .authority = true});
  const CertificateFiles stranger({.name = "stranger", .authority = true});
  const CertificateFiles good({.issuer = &authority});
  const CertificateFiles wrong({.issuer = &stranger});

  Meeting none{.shown = good, .trusted = authority, .clients = &authority};
  none.happen();
  EXPECT_EQ(none.reason, CloseReason::ServerWantsCertificate) << none.detail;
  EXPECT_TRUE(mentions(none.detail, "tls.certificate and tls.key")) << none.detail;

  Meeting other{.shown = good, .trusted = authority, .clients = &authority, .ours = &wrong};
  other.happen();
  EXPECT_EQ(other.reason, CloseReason::ServerWantsCertificate) << other.detail;
}

}  // namespace
}  // namespace berth::net
