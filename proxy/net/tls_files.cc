#include "proxy/net/tls_files.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "proxy/base/letter_case.h"
#include "proxy/base/read_file.h"
#include "proxy/net/tls_error.h"

namespace berth::net {

namespace {

constexpr size_t kMostBytes = 16 * 1024 * 1024;  // the system's list of authorities has 200 KB
constexpr int kWarnDays = 14;

// No passphrase: nobody is there to type it.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

BioPtr memory_of(const std::string& bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

CertificatePtr next_certificate(BIO& pem) {
  return CertificatePtr(PEM_read_bio_X509(&pem, nullptr, no_passphrase, nullptr));
}

// Of the error queue, which is emptied: that there is no PEM block (any more) is no other error.
bool was_end_of_pem() {
  const unsigned long error = ERR_peek_last_error();
  const bool end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (end) ERR_clear_error();
  return end;
}

std::vector<std::string> alternative_names(const X509& certificate) {
  std::vector<std::string> out;
  struct Deleter {
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
  };
  const std::unique_ptr<GENERAL_NAMES, Deleter> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    const auto size = static_cast<size_t>(ASN1_STRING_length(name->d.dNSName));
    out.push_back(to_lower({text, size}));
  }
  return out;
}

std::string common_name(const X509& certificate) {
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  const ASN1_STRING* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
  return to_lower({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                   static_cast<size_t>(ASN1_STRING_length(text))});
}

std::string read_all(const std::string& path, const std::string& setting) {
  auto text = read_file(path, kMostBytes);
  if (!text) throw TlsSettingsError(setting, path + " cannot be read: " + text.error().text());
  return std::move(*text);
}

}  // namespace

const std::string& TlsFiles::read(const std::string& path, const std::string& setting) {
  if (const auto known = read_.find(path); known != read_.end()) return known->second;
  return read_[path] = read_all(path, setting);
}

CertificatePair::CertificatePair(const config::Certificate& pair, const std::string& setting,
                                 TlsFiles& files)
    : file_(pair.certificate) {
  const std::string certificate_setting = setting + "certificate";
  const std::string key_setting = setting + "key";
  const std::string& certificates = files.read(pair.certificate, certificate_setting);
  const std::string& key = files.read(pair.key, key_setting);
  digest_ = digest_of(digest_of(certificates) + digest_of(key));
  ERR_clear_error();

  const BioPtr pem = memory_of(certificates);
  certificate_ = next_certificate(*pem);
  if (certificate_ == nullptr) {
    const bool none = was_end_of_pem();
    throw TlsSettingsError(certificate_setting,
                           pair.certificate + (none ? " holds no certificate in PEM form"
                                                    : " is no certificate: " + openssl_error()));
  }
  while (CertificatePtr next = next_certificate(*pem)) chain_.push_back(std::move(next));
  if (!was_end_of_pem()) {
    throw TlsSettingsError(certificate_setting,
                           pair.certificate + ": its chain is broken: " + openssl_error());
  }

  key_.reset(PEM_read_bio_PrivateKey(memory_of(key).get(), nullptr, no_passphrase, nullptr));
  if (key_ == nullptr) {
    const bool encrypted = key.find("ENCRYPTED") != std::string::npos;
    const bool none = key.find("PRIVATE KEY-----") == std::string::npos;
    throw TlsSettingsError(
        key_setting,
        pair.key + (encrypted ? " is encrypted: Berth asks for no passphrase; decrypt it with "
                                "openssl pkey"
                    : none    ? std::string(" holds no private key in PEM form")
                              : " is no private key: " + openssl_error()));
  }
  if (X509_check_private_key(certificate_.get(), key_.get()) != 1) {
    ERR_clear_error();
    throw TlsSettingsError(key_setting,
                           "key " + pair.key + " does not belong to certificate " + file_);
  }
  names_ = alternative_names(*certificate_);
  if (names_.empty()) names_.push_back(common_name(*certificate_));
  ERR_clear_error();
}

void CertificatePair::use_in(SSL_CTX& context) const {
  bool ok = SSL_CTX_use_certificate(&context, certificate_.get()) == 1 &&
            SSL_CTX_use_PrivateKey(&context, key_.get()) == 1;
  for (const CertificatePtr& link : chain_) {
    ok = ok && SSL_CTX_add1_chain_cert(&context, link.get()) == 1;
  }
  // Such as an RSA key of 1,024 bits.
  if (!ok)
    throw TlsSettingsError("", "certificate " + file_ + " cannot be used: " + openssl_error());
}

int CertificatePair::key_type() const {
  return EVP_PKEY_get_base_id(key_.get());
}

std::string CertificatePair::warning() const {
  int days = 0;
  int seconds = 0;
  if (X509_cmp_current_time(X509_get0_notBefore(certificate_.get())) > 0) {
    return "certificate " + file_ + " is not valid yet";
  }
  const ASN1_TIME* end = X509_get0_notAfter(certificate_.get());
  if (ASN1_TIME_diff(&days, &seconds, nullptr, end) != 1) return {};
  if (days < 0 || seconds < 0) return "certificate " + file_ + " has expired";
  if (days >= kWarnDays) return {};
  return "certificate " + file_ + " expires in " + std::to_string(days) +
         (days == 1 ? " day" : " days");
}

TlsFileFacts CertificatePair::facts() const {
  TlsFileFacts out{file_, digest_, {}};
  std::tm end{};
  std::array<char, 16> date{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate_.get()), &end) == 1 &&
      std::strftime(date.data(), date.size(), "%Y-%m-%d", &end) > 0) {
    out.note = std::string("valid until ") + date.data();
  }
  return out;
}

Authorities::Authorities(const std::string& path, const std::string& setting, TlsFiles& files)
    : file_(path) {
  const std::string& bytes = files.read(path, setting);
  digest_ = digest_of(bytes);
  ERR_clear_error();
  const BioPtr pem = memory_of(bytes);
  while (CertificatePtr one = next_certificate(*pem)) certificates_.push_back(std::move(one));
  if (!was_end_of_pem()) {
    throw TlsSettingsError(setting, path + " holds a broken certificate: " + openssl_error());
  }
  if (certificates_.empty()) {
    throw TlsSettingsError(setting, path + " holds no certificate in PEM form");
  }
  ERR_clear_error();
}

void Authorities::trust_in(SSL_CTX& context) const {
  X509_STORE* store = SSL_CTX_get_cert_store(&context);
  for (const CertificatePtr& one : certificates_) X509_STORE_add_cert(store, one.get());
  ERR_clear_error();
}

void Authorities::name_in(SSL_CTX& context) const {
  for (const CertificatePtr& one : certificates_) SSL_CTX_add_client_CA(&context, one.get());
}

std::string digest_of(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), hash.data(), &size, EVP_sha256(), nullptr);
  std::string out;
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (unsigned i = 0; i < size; ++i) {
    out += kDigits[hash[i] >> 4];
    out += kDigits[hash[i] & 15];
  }
  return out;
}

}  // namespace berth::net
