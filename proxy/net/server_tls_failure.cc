#include "proxy/net/server_tls_failure.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string_view>
#include <utility>

#include "proxy/net/tls_error.h"
#include "proxy/net/tls_types.h"

namespace berth::net {
namespace {

// What the callback has found wrong; OpenSSL forgets the certificates of a handshake that fails.
struct Finding {
  int error = X509_V_OK;
  int sent = 0;         // certificates
  std::string subject;  // of the one that is wrong
  std::string until;    // its dates, where these are wrong
};

void free_finding(void*, void* finding, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Finding*>(finding);  // NOLINT(cppcoreguidelines-owning-memory): OpenSSL's slot
}

int finding_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_finding);
  return index;
}

std::string date_of(const ASN1_TIME* time) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (out == nullptr || ASN1_TIME_print(out.get(), time) != 1) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

int on_verified(int ok, X509_STORE_CTX* context) {
  if (ok == 1) return ok;
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto finding = std::make_unique<Finding>();
  finding->error = X509_STORE_CTX_get_error(context);
  finding->sent = sk_X509_num(X509_STORE_CTX_get0_untrusted(context));
  if (const X509* about = X509_STORE_CTX_get_current_cert(context)) {
    finding->subject = subject_of(*about);
    if (finding->error == X509_V_ERR_CERT_HAS_EXPIRED) {
      finding->until = "it was valid until " + date_of(X509_get0_notAfter(about));
    } else if (finding->error == X509_V_ERR_CERT_NOT_YET_VALID) {
      finding->until = "it is valid from " + date_of(X509_get0_notBefore(about));
    }
  }
  delete static_cast<Finding*>(SSL_get_ex_data(ssl, finding_index()));
  SSL_set_ex_data(ssl, finding_index(), finding.release());
  return ok;
}

CloseReason reason_of(const Finding& finding) {
  switch (finding.error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return CloseReason::ServerCertificateName;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return CloseReason::ServerCertificateExpired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return CloseReason::ServerCertificateEarly;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return CloseReason::ServerCertificateSelfSigned;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return CloseReason::ServerCertificateIssuer;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return finding.sent <= 1 ? CloseReason::ServerCertificateChain
                               : CloseReason::ServerCertificateIssuer;
    default:
      return CloseReason::ServerCertificate;
  }
}

std::string_view remedy_for(CloseReason reason) {
  static constexpr std::pair<CloseReason, std::string_view> kRemedies[] = {
      {CloseReason::ServerCertificateName, "tls.server_name says which name to ask for"},
      {CloseReason::ServerCertificateSelfSigned, "tls.ca may name this very certificate"},
      {CloseReason::ServerCertificateIssuer, "tls.ca names the authorities to trust"},
      {CloseReason::ServerCertificateChain,
       "tls.ca may name the authority, or the server's certificate file hold its certificate"},
      {CloseReason::ServerWantsCertificate, "tls.certificate and tls.key say which one to show"},
  };
  for (const auto& [of, remedy] : kRemedies) {
    if (of == reason) return remedy;
  }
  return {};
}

std::string asked_name(const SSL& ssl) {
  // OpenSSL does not change what it is asked about, but does not say so.
  X509_VERIFY_PARAM* param = SSL_get0_param(const_cast<SSL*>(&ssl));
  if (const char* host = X509_VERIFY_PARAM_get0_host(param, 0)) return host;
  const std::unique_ptr<char, void (*)(char*)> address(X509_VERIFY_PARAM_get1_ip_asc(param),
                                                       [](char* text) { OPENSSL_free(text); });
  return address == nullptr ? std::string() : address.get();
}

void append(std::string& out, std::string_view label, std::string_view text) {
  if (!text.empty()) out.append("; ").append(label).append(text);
}

ServerTlsFailure explain(const Finding& finding, const SSL& ssl) {
  ServerTlsFailure out{reason_of(finding), X509_verify_cert_error_string(finding.error)};
  append(out.detail, "certificate: ", finding.subject);
  append(out.detail, "", finding.until);
  append(out.detail, "asked for: ", asked_name(ssl));
  append(out.detail, "", remedy_for(out.reason));
  return out;
}

// Alerts by which a server that asked for a certificate turns down what it got.
bool turns_down_certificate(int reason, const SSL& ssl) {
  switch (reason) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return true;
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return SSL_get0_peer_CA_list(&ssl) != nullptr;  // it has asked for one
    default:
      return false;
  }
}

}  // namespace

void verify_servers(SSL_CTX& context) {
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, on_verified);
}

ServerTlsFailure server_tls_failure(const SSL& ssl) {
  if (const auto* finding = static_cast<Finding*>(SSL_get_ex_data(&ssl, finding_index()))) {
    return explain(*finding, ssl);
  }
  const unsigned long error = ERR_peek_error();
  const bool from_tls = ERR_GET_LIB(error) == ERR_LIB_SSL;
  const bool refused = from_tls && turns_down_certificate(ERR_GET_REASON(error), ssl);
  ServerTlsFailure out{refused ? CloseReason::ServerWantsCertificate : CloseReason::ServerTlsFailed,
                       {}};
  if (error == 0) return out;
  if (const char* words = ERR_reason_error_string(error)) out.detail = words;
  append(out.detail, "", remedy_for(out.reason));
  return out;
}

}  // namespace berth::net
