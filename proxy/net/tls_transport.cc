#include "proxy/net/tls_transport.h"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/net/tls_bio.h"
#include "proxy/net/tls_error.h"

namespace berth::net {

namespace {

constexpr size_t kRecord = 16 * 1024;          // plaintext in a record, at most
constexpr size_t kRecordRoom = kRecord + 256;  // what it becomes, at most
constexpr size_t kOutRoom = 5 * kRecordRoom;
// To look at what is there, one record is enough.
constexpr size_t kPeekRoom = kRecordRoom;
// Of bytes that the session itself wants to send (alerts, key updates) to a peer that reads none.
constexpr size_t kMostPending = 256 * 1024;

// Key updates, tickets, requests to negotiate again: a handful in a day, if at all, and each costs
// as much as a request.
constexpr uint16_t kMostAsides = 128;

// Used within one call, so one for each thread is enough.
struct Workspace {
  Scratch in;
  std::unique_ptr<std::array<char, kOutRoom>> out = std::make_unique<std::array<char, kOutRoom>>();
  std::unique_ptr<std::array<char, kRecord>> record = std::make_unique<std::array<char, kRecord>>();
  size_t collected = 0;  // bytes in `out`
};

Workspace& workspace() {
  static thread_local Workspace space;
  return space;
}

bool is_method_letter(char c) {
  return c >= 'A' && c <= 'Z';
}

// Where write() is in the parts that it was given.
class Parts {
 public:
  Parts(const iovec* parts, int count, size_t skip) : at_(parts), end_(parts + count) {
    advance(skip);
  }
  bool empty() const { return at_ == end_; }
  // The next record's plaintext: as it is where it lies in one piece, otherwise gathered in `room`.
  std::string_view next(std::array<char, kRecord>& room) {
    const std::string_view here = rest_of_part();
    if (here.size() >= kRecord || at_ + 1 == end_) {
      const std::string_view record = here.substr(0, kRecord);
      advance(record.size());
      return record;
    }
    size_t size = 0;
    while (!empty() && size < kRecord) {
      const std::string_view piece = rest_of_part().substr(0, kRecord - size);
      std::memcpy(room.data() + size, piece.data(), piece.size());
      size += piece.size();
      advance(piece.size());
    }
    return {room.data(), size};
  }

 private:
  std::string_view rest_of_part() const {
    return std::string_view(static_cast<const char*>(at_->iov_base), at_->iov_len).substr(offset_);
  }
  void advance(size_t n) {
    offset_ += n;
    while (at_ != end_ && offset_ >= at_->iov_len) offset_ -= at_++->iov_len;
  }

  const iovec* at_;
  const iovec* end_;
  size_t offset_ = 0;  // into the part at at_
};

size_t total(const iovec* parts, int count) {
  size_t size = 0;
  for (int i = 0; i < count; ++i) size += parts[i].iov_len;
  return size;
}

}  // namespace

// One call into OpenSSL that may read: lends it the ciphertext at hand, keeps what is left of it,
// and sends what the session itself had to say.
class TlsTransport::Operation {
 public:
  explicit Operation(TlsTransport& transport) : transport_(transport) {
    transport_.input_ = transport_.cipher_in_.view();
    transport_.may_read_ = true;
    ERR_clear_error();
  }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() {
    TlsTransport& t = transport_;
    t.may_read_ = false;
    if (t.input_.empty()) {
      t.cipher_in_.reset();
    } else if (t.cipher_in_.contains(t.input_.data())) {
      t.cipher_in_.keep(t.input_);
    } else {
      t.keep_input(workspace().in.keep(t.input_));
    }
    t.input_ = {};
    t.send_collected();
  }

 private:
  TlsTransport& transport_;
};

TlsTransport::TlsTransport(Side side, std::unique_ptr<Transport> lower, SslPtr ssl,
                           std::shared_ptr<const void> owner, TransportHandler& handler)
    : lower_(std::move(lower)),
      handler_(&handler),
      owner_(std::move(owner)),
      ssl_(std::move(ssl)),
      side_(side),
      state_(side == Side::Server ? State::Handshake : State::Connecting) {
  BIO* bio = TlsBio::make(*this);
  if (bio == nullptr) state_ = State::Broken;
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_info_callback(ssl_.get(), on_aside);
  lower_->hand_to(*this);
}

TlsTransport::~TlsTransport() {
  const bool may_say_goodbye = goodbye_ == Goodbye::Unsaid && lower_end_ != LowerEnd::Reset;
  if (state_ == State::Open && may_say_goodbye && cipher_out_.empty()) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    send_collected();
  }
  // Otherwise OpenSSL takes the session for one that must not be resumed.
  if (state_ == State::Open) {
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
}

void TlsTransport::on_ready(Ready ready) {
  if (ready.peer_closed && lower_end_ == LowerEnd::Open) lower_end_ = LowerEnd::Fin;
  if (ready.writable && !cipher_out_.empty()) flush_pending();
  handler_->on_ready(ready);
}

// --- OpenSSL's side.

// A message of a handshake begins, or an alert comes or goes.
void TlsTransport::on_aside(const SSL* ssl, int where, int) {
  TlsTransport& self = TlsBio::transport_of(SSL_get_rbio(ssl));
  const bool counts = (where & (SSL_CB_LOOP | SSL_CB_ALERT)) != 0;
  if (counts && self.state_ == State::Open && self.asides_ <= kMostAsides) ++self.asides_;
}

bool TlsTransport::supply(char* into, size_t size, size_t& got, bool& retry) {
  if (asides_ > kMostAsides) {
    retry = false;
    return false;
  }
  if (input_.empty()) {
    retry = true;
    if (!may_read_) return false;
    Scratch& scratch = workspace().in;
    const IoResult read = lower_->read(scratch.data(), read_room_);
    // The end of the stream, and an RST that came together with data, show only at the next read.
    const bool look_again = read.more || lower_end_ != LowerEnd::Open || state_ == State::Handshake;
    may_read_ = read.status == IoStatus::Ok && look_again;
    if (read.status == IoStatus::Again) return false;
    if (read.status != IoStatus::Ok) {
      if (lower_end_ != LowerEnd::Eof) {
        lower_end_ = read.status == IoStatus::Eof ? LowerEnd::Eof : LowerEnd::Reset;
      }
      retry = false;
      return false;
    }
    cipher_in_.reset();
    input_ = {scratch.data(), read.bytes};
    if (peer_ == Peer::Silent && side_ == Side::Server && is_method_letter(input_.front())) {
      peer_ = Peer::PlainHttp;
      retry = false;
      return false;
    }
    if (peer_ == Peer::Silent) peer_ = Peer::Speaks;
  }
  got = std::min(size, input_.size());
  std::memcpy(into, input_.data(), got);
  input_.remove_prefix(got);
  return true;
}

bool TlsTransport::collect(std::string_view bytes) {
  Workspace& space = workspace();
  if (space.collected + bytes.size() > space.out->size()) {
    if (cipher_out_.size() + space.collected + bytes.size() > kMostPending) return false;
    keep_output({space.out->data(), space.collected});
    space.collected = 0;
    if (bytes.size() > space.out->size()) {
      keep_output(bytes);
      return true;
    }
  }
  std::memcpy(space.out->data() + space.collected, bytes.data(), bytes.size());
  space.collected += bytes.size();
  return true;
}

// --- What goes out.

// What has been collected, behind what is pending. False if the connection is gone.
bool TlsTransport::send_collected() {
  Workspace& space = workspace();
  std::string_view out(space.out->data(), std::exchange(space.collected, 0));
  if (out.empty() || broken()) return !broken();
  if (cipher_out_) {
    keep_output(out);
    if (cipher_out_.size() > kMostPending) state_ = State::Broken;
    return flush_pending();
  }
  const iovec part{const_cast<char*>(out.data()), out.size()};
  const IoResult sent = lower_->write(&part, 1);
  if (sent.status == IoStatus::Reset) {
    state_ = State::Broken;
    return false;
  }
  out.remove_prefix(sent.bytes);
  if (!out.empty()) keep_output(out);
  return true;
}

bool TlsTransport::flush_pending() {
  while (!cipher_out_.empty() && !broken()) {
    const iovec part{cipher_out_.data(), cipher_out_.size()};
    const IoResult sent = lower_->write(&part, 1);
    if (sent.status == IoStatus::Reset) state_ = State::Broken;
    if (sent.status != IoStatus::Ok || sent.bytes == 0) return !broken();
    cipher_out_.consume(sent.bytes);
    batch_.sent = std::min(batch_.cipher, batch_.sent + sent.bytes);
  }
  cipher_out_.reset();
  if (goodbye_ == Goodbye::Wanted && !broken()) {
    goodbye_ = Goodbye::Said;
    lower_->shutdown_write();
  }
  return !broken();
}

// Plaintext of the batch that counts as accepted since this was last asked. All of it only when all
// of its ciphertext is on its way; none while no whole record is, because then the peer can make
// nothing of it.
size_t TlsTransport::newly_accepted() {
  if (batch_.plain == 0) return 0;
  size_t now = batch_.plain;
  if (batch_.sent < batch_.first) {
    now = 0;
  } else if (batch_.sent < batch_.cipher) {
    const size_t overhead = batch_.cipher - batch_.plain;
    now = batch_.sent > overhead ? batch_.sent - overhead : 1;
    now = std::max(batch_.reported, std::min(now, batch_.plain - 1));
  }
  const size_t news = now - batch_.reported;
  batch_.reported = now;
  if (now == batch_.plain) batch_ = {};
  return news;
}

// As many records as the workspace has room for. Returns how much plaintext is in them; broken() if
// OpenSSL failed.
size_t TlsTransport::encrypt(const iovec* parts, int count, size_t skip) {
  Workspace& space = workspace();
  Parts rest(parts, count, skip);
  size_t encrypted = 0;
  batch_ = {};
  while (!rest.empty() && space.collected + kRecordRoom <= space.out->size()) {
    const std::string_view plain = rest.next(*space.record);
    size_t written = 0;
    if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1) {
      space.collected = 0;
      state_ = State::Broken;
      return 0;
    }
    if (encrypted == 0) batch_.first = space.collected;
    encrypted += plain.size();
  }
  batch_.plain = encrypted;
  batch_.cipher = space.collected;
  return encrypted;
}

IoResult TlsTransport::write(const iovec* parts, int count) {
  if (state_ == State::Clear) return lower_->write(parts, count);
  if (broken() || !flush_pending()) return {IoStatus::Reset, 0};
  const size_t offered = total(parts, count);
  size_t accepted = newly_accepted();
  ERR_clear_error();
  while (accepted < offered && cipher_out_.empty()) {
    const size_t plain = encrypt(parts, count, accepted);
    if (broken()) return {IoStatus::Reset, 0};
    const size_t cipher = batch_.cipher;
    if (!send_collected()) return {IoStatus::Reset, 0};
    batch_.sent = cipher - cipher_out_.size();
    accepted += cipher_out_.empty() ? plain : newly_accepted();
    if (cipher_out_.empty()) batch_ = {};
  }
  if (accepted == 0 && offered > 0) return {IoStatus::Again, 0};
  return {IoStatus::Ok, accepted};
}

// Before the handshake is done, and after the session has broken, only the FIN is left to say.
void TlsTransport::shutdown_write() {
  if (goodbye_ != Goodbye::Unsaid) return;
  goodbye_ = Goodbye::Said;
  if (state_ == State::Open) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    if (send_collected() && !cipher_out_.empty()) {
      goodbye_ = Goodbye::Wanted;
      return;
    }
  }
  lower_->shutdown_write();
}

void TlsTransport::charge_to(MemoryAccount* account) {
  account_ = account;
  cipher_in_.charge_to(account);
  cipher_out_.charge_to(account);
}

void TlsTransport::keep_input(ByteBuffer cipher) {
  cipher_in_ = std::move(cipher);
  cipher_in_.charge_to(account_);
}

// Behind what is pending.
void TlsTransport::keep_output(std::string_view cipher) {
  if (!cipher_out_) {
    cipher_out_ = ByteBuffer::copy_of(cipher);
  } else {
    cipher_out_.append(cipher);
  }
  cipher_out_.charge_to(account_);
}

void TlsTransport::abort_on_close() {
  goodbye_ = Goodbye::Aborted;
  lower_->abort_on_close();
}

// --- What comes in.

IoResult TlsTransport::read(char* into, size_t size) {
  if (state_ == State::Clear) return lower_->read(into, size);
  if (broken()) return {IoStatus::Reset, 0};
  read_room_ = Scratch::kSize;
  const Operation operation(*this);
  size_t total = 0;
  while (total < size) {
    size_t got = 0;
    const int result = SSL_read_ex(ssl_.get(), into + total, size - total, &got);
    if (result == 1) {
      total += got;
      continue;
    }
    const IoResult end = failed(result);
    if (total == 0) return end;
    // The end is told by the next read.
    return {IoStatus::Ok, total, end.status != IoStatus::Again};
  }
  return {IoStatus::Ok, total, true};
}

IoResult TlsTransport::peek(char* into, size_t size) {
  if (state_ == State::Clear) return lower_->peek(into, size);
  if (broken()) return {IoStatus::Reset, 0};
  read_room_ = kPeekRoom;
  const Operation operation(*this);
  size_t got = 0;
  const int result = SSL_peek_ex(ssl_.get(), into, size, &got);
  if (result == 1) return {IoStatus::Ok, got, true};
  return failed(result);
}

Probe TlsTransport::probe() {
  char byte;
  switch (peek(&byte, 1).status) {
    case IoStatus::Ok:
      return Probe::Data;
    case IoStatus::Again:
      return Probe::Quiet;
    case IoStatus::Eof:
      return Probe::Eof;
    case IoStatus::Reset:
      break;
  }
  return lower_end_ == LowerEnd::Eof && !broken() ? Probe::Eof : Probe::Reset;
}

// Why SSL_read or SSL_peek gave nothing.
IoResult TlsTransport::failed(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {IoStatus::Again, 0};
    case SSL_ERROR_ZERO_RETURN:
      // Without close_notify somebody on the way may have cut the stream: a server's response that
      // ends by closing would look complete.
      if (lower_end_ == LowerEnd::Eof && side_ == Side::Client) return {IoStatus::Reset, 0};
      return {IoStatus::Eof, 0};
    default:
      if (!lower_ended() && !was_alert()) peer_ = Peer::BreaksRules;
      note_failure();
      send_collected();  // the alert that says so
      state_ = State::Broken;
      return {IoStatus::Reset, 0};
  }
}

// --- The handshake.

Transport::ConnectResult TlsTransport::finish_connect() {
  if (state_ == State::Connecting) {
    const ConnectResult connected = lower_->finish_connect();
    if (connected.status != IoStatus::Ok) return connected;
    state_ = State::Handshake;
  }
  if (state_ == State::Broken) return {IoStatus::Reset, CloseReason::NoLocalResources};
  if (state_ != State::Handshake) return {};
  int result = 0;
  {
    read_room_ = Scratch::kSize;
    const Operation operation(*this);
    result = SSL_do_handshake(ssl_.get());
    if (result != 1 && SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
      return handshake_failed();
    }
  }
  if (broken()) {
    return {IoStatus::Reset,
            side_ == Side::Server ? CloseReason::TlsClientLeft : CloseReason::ServerTlsFailed};
  }
  if (result != 1) return {IoStatus::Again, CloseReason::None};
  established();
  return {};
}

Transport::ConnectResult TlsTransport::handshake_failed() {
  if (peer_ == Peer::PlainHttp) {
    state_ = State::Clear;
    input_ = {};
    return {IoStatus::Reset, CloseReason::PlainHttpToTls};
  }
  const bool left = lower_ended();
  note_failure();
  const CloseReason reason = failure_ ? failure_->reason : client_handshake_failure(left);
  send_collected();  // the alert
  state_ = State::Broken;
  return {IoStatus::Reset, reason};
}

void TlsTransport::note_failure() {
  if (side_ == Side::Client)
    failure_ = std::make_unique<ServerTlsFailure>(server_tls_failure(*ssl_));
}

std::string_view TlsTransport::failure_detail() const {
  return failure_ ? std::string_view(failure_->detail) : std::string_view();
}

CloseReason TlsTransport::refused() const {
  const bool so = failure_ && failure_->reason == CloseReason::ServerWantsCertificate;
  return so ? failure_->reason : CloseReason::None;
}

void TlsTransport::established() {
  state_ = State::Open;
  SSL* ssl = ssl_.get();
  security_.version =
      SSL_version(ssl) == TLS1_3_VERSION ? Security::Version::Tls13 : Security::Version::Tls12;
  security_.resumed = SSL_session_reused(ssl) == 1;
  const unsigned char* alpn = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &size);
  const std::string_view protocol(reinterpret_cast<const char*>(alpn), size);
  if (protocol == "h2") security_.protocol = Security::Protocol::Http2;
  using Terms = TlsTerms;
  const bool tls13 = security_.version == Security::Version::Tls13;
  security_.terms = {.cipher = SSL_get_cipher_name(ssl),
                     .version = tls13 ? Terms::Version::Tls13 : Terms::Version::Tls12,
                     .alpn = protocol.empty()   ? Terms::Alpn::None
                             : protocol == "h2" ? Terms::Alpn::Http2
                                                : Terms::Alpn::Http1,
                     .resumed = security_.resumed};
  const char* const server_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (server_name != nullptr) security_.server_name = server_name;
  const X509* peer = SSL_get0_peer_certificate(ssl);
  if (peer != nullptr && SSL_get_verify_result(ssl) == X509_V_OK) {
    security_.peer_subject = subject_of(*peer);
  }
}

const Security* TlsTransport::security() const {
  return state_ == State::Open || state_ == State::Broken ? &security_ : nullptr;
}

}  // namespace berth::net
