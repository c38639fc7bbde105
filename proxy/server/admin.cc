#include "proxy/server/admin.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <exception>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "proxy/base/unique_fd.h"
#include "proxy/net/address.h"
#include "proxy/net/listener.h"
#include "proxy/server/admin_commands.h"
#include "proxy/server/admin_guard.h"
#include "proxy/server/log.h"

namespace berth::server {
namespace {

constexpr int kBacklog = 64;
constexpr uint32_t kUnixMode = 0660;
constexpr int kTimeoutSeconds =
    60;  // longer than a scrape interval: Prometheus keeps its connection
constexpr ev_ssize_t kMaxRequest = 16 * 1024;  // of a head, and of a body, which no page wants

// Without SO_REUSEPORT, unlike the workers' listeners: a second process on the same port is an
// error, and not somebody who answers every other scrape.
UniqueFd listen_exclusively(const net::Address& address) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw std::system_error(errno, std::generic_category());
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    throw std::system_error(errno, std::generic_category());
  }
  return fd;
}

UniqueFd open_listener(std::string_view text) {
  const std::string name = "admin address " + std::string(text) + ": ";
  const std::optional<net::Address> address = net::Address::parse_listen(text);
  if (!address) throw std::runtime_error(name + "not an address");
  if (address->kind() == net::AddressKind::Unix)
    return net::listen_on(*address, kBacklog, kUnixMode);
  try {
    return listen_exclusively(*address);
  } catch (const std::system_error& error) {
    throw std::runtime_error(name + error.code().message());
  }
}

void reply(evhttp_request* request, const AdminPage& page) {
  evkeyvalq* headers = evhttp_request_get_output_headers(request);
  evhttp_add_header(headers, "Content-Type", page.content_type.c_str());
  evhttp_add_header(headers, "Content-Length", std::to_string(page.body.size()).c_str());
  evhttp_add_header(headers, "Cache-Control", "no-store");
  evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
  evhttp_add_header(headers, "Content-Security-Policy",
                    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
  // evhttp sends a body to HEAD as well if it is given one.
  if (evhttp_request_get_command(request) != EVHTTP_REQ_HEAD) {
    evbuffer_add(evhttp_request_get_output_buffer(request), page.body.data(), page.body.size());
  }
  evhttp_send_reply(request, page.status, nullptr, nullptr);
}

AdminPage text(int status, std::string body) {
  return {status, "text/plain; charset=utf-8", std::move(body)};
}

std::string_view field(evhttp_request* request, const char* name) {
  const char* value = evhttp_find_header(evhttp_request_get_input_headers(request), name);
  return value == nullptr ? std::string_view() : value;
}

std::string path_of(evhttp_request* request) {
  const evhttp_uri* uri = evhttp_request_get_evhttp_uri(request);
  const char* path = uri != nullptr ? evhttp_uri_get_path(uri) : nullptr;
  return path == nullptr || *path == '\0' ? "/" : path;
}

AdminQuery query_of(const evhttp_uri* uri) {
  AdminQuery query;
  const char* text_of_it = evhttp_uri_get_query(uri);
  evkeyvalq values;
  if (text_of_it == nullptr || evhttp_parse_query_str(text_of_it, &values) != 0) return query;
  for (const evkeyval* one = values.tqh_first; one != nullptr; one = one->next.tqe_next) {
    query.emplace(one->key, one->value);
  }
  evhttp_clear_headers(&values);
  return query;
}

}  // namespace

void AdminServer::HttpDeleter::operator()(evhttp* http) const {
  evhttp_free(http);
}

AdminServer::AdminServer(event_base* base, std::string_view address, AdminContext& context)
    : context_(context), http_(evhttp_new(base)), thread_(base) {
  if (http_ == nullptr) throw std::runtime_error("admin: evhttp_new failed");
  // Every method is let in, so that those that do not fit get a 405 that says so.
  evhttp_set_allowed_methods(http_.get(), EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
                                              EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                              EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                              EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
  evhttp_set_max_headers_size(http_.get(), kMaxRequest);
  evhttp_set_max_body_size(http_.get(), kMaxRequest);
  evhttp_set_timeout(http_.get(), kTimeoutSeconds);
  evhttp_set_gencb(http_.get(), &AdminServer::on_request, this);

  UniqueFd fd = open_listener(address);
  address_ = net::Address::of_socket(fd.get()).to_string();
  connections_ = std::make_unique<AdminConnections>(base, http_.get(), std::move(fd));
}

AdminServer::~AdminServer() = default;

void AdminServer::on_request(evhttp_request* request, void* self) {
  static_cast<AdminServer*>(self)->answer(request);
}

void AdminServer::answer(evhttp_request* request) {
  connections_->used(evhttp_request_get_connection(request));
  if (const std::optional<AdminPage> refusal = refuse(request)) {
    reply(request, *refusal);
    return;
  }
  const std::string path = path_of(request);
  if (is_admin_command(path)) {
    reply(request, admin_command(path, query_of(evhttp_request_get_evhttp_uri(request)), context_));
  } else if (is_slow_page(path)) {
    // If the client leaves meanwhile, evhttp leaves the request to us, and the reply frees it.
    thread_.render([this, path] { return rendered(path); },
                   [request](const AdminPage& page) { reply(request, page); });
  } else {
    reply(request, rendered(path));
  }
}

// Thread: any, for slow pages.
AdminPage AdminServer::rendered(const std::string& path) const {
  try {
    return admin_page(path, context_);
  } catch (const std::exception& error) {
    log_error("admin", path, ": ", error.what());
    return text(500, "This page failed; the log says why.\n");
  }
}

// What is not done at all, and why.
std::optional<AdminPage> AdminServer::refuse(evhttp_request* request) const {
  const std::string path = path_of(request);
  const auto method = evhttp_request_get_command(request);
  const bool command = is_admin_command(path);
  const bool reads = method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD;
  if (command ? method != EVHTTP_REQ_POST : !reads) {
    evhttp_add_header(evhttp_request_get_output_headers(request), "Allow",
                      command ? "POST" : "GET, HEAD");
    return text(405, command ? "Only POST.\n" : "Only GET and HEAD.\n");
  }
  const AdminCaller caller{.host = field(request, "Host"),
                           .origin = field(request, "Origin"),
                           .fetch_site = field(request, "Sec-Fetch-Site")};
  const std::vector<std::string>& names = context_.admin_hosts();
  if (command && !may_command(caller, names)) {
    return text(403,
                "Commands are not taken from web pages, nor under a host name of the internet that "
                "is not one of admin.hosts.\n");
  }
  if (is_private_page(path) && !is_trusted_host(caller.host, names)) {
    return text(403,
                "This page is not shown under a host name of the internet; admin.hosts lists those "
                "that may be used.\n");
  }
  return std::nullopt;
}

}  // namespace berth::server
