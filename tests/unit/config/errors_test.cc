// What a wrong file is told: each kind of mistake, with its exact place and hint.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/config/loader.h"

namespace berth::config {
namespace {

struct Row {
  const char* name;
  std::string yaml;
  std::vector<std::string> expected;  // "LINE:COLUMN: error: ...", all of them, in order
};

// Names the rows in the list of tests.
std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.name;
}

std::vector<std::string> complaints(std::string_view yaml) {
  std::vector<std::string> out;
  for (const Diagnostic& diagnostic : load_text(yaml).diagnostics) {
    const std::string text = to_string(diagnostic, "f");
    out.push_back(text.substr(text.find_first_of(": ") + 1));
  }
  return out;
}

// A listener and an upstream, one line each, before what a row adds from line 3 on.
const std::string kListener = "listeners: [{address: :8080}]\n";
const std::string kApp = "upstreams: {app: {servers: [127.0.0.1:3000]}}\n";
const std::string kGood = kListener + kApp;

// One listener with more keys, from line 3 on, and an upstream.
std::string listener(const std::string& keys) {
  return kApp + "listeners:\n  - address: :8080\n    " + keys + "\n";
}

// One upstream with more keys, from line 4 on.
std::string upstream(const std::string& keys) {
  return kListener + "upstreams:\n  app:\n    " + keys + "\n    servers: [127.0.0.1:3000]\n";
}

std::string pool(const std::string& keys) {
  return upstream("pool: {" + keys + "}");
}

// One route with more keys, on line 4.
std::string route(const std::string& keys) {
  return kGood + "routes:\n  - {upstream: app, " + keys + "}\n";
}

class ConfigErrors : public testing::TestWithParam<Row> {};

TEST_P(ConfigErrors, AreReportedWithTheirPlace) {
  EXPECT_EQ(complaints(GetParam().yaml), GetParam().expected);
}

std::string row_name(const testing::TestParamInfo<Row>& info) {
  return info.param.name;
}

const Row kSyntax[] = {
    {"UnquotedStar",
     route("host: *"),
     {"4:28: error: not valid YAML: '*' without the name of an anchor ('*' starts an alias in "
      "YAML: "
      "in a value, quote it, such as \"*\")"}},
    {"UnquotedStarSuffix",
     route("host: *.a.b"),
     {"4:27: error: not valid YAML: an alias of an anchor that does not exist ('*' starts an alias "
      "in YAML: in a value, quote it, such as \"*\")"}},
    {"Tab",
     "listeners:\n\t- address: :80\n",
     {"2:2: error: not valid YAML: a '-' where no list item can be (YAML is indented with spaces, "
      "this line has a tab)"}},
    {"UnquotedIpv6",
     "listeners:\n  - address: [::]:80\n",
     {"2:18: error: not valid YAML: this line does not continue the map above it ('[' starts a "
      "list "
      "in YAML: quote an IPv6 address, such as \"[::1]:8080\")"}},
    {"Indentation",
     "listeners:\n  - address: :80\n     name: x\n",
     {"3:10: error: not valid YAML: this line does not continue the map above it (the keys of a "
      "map "
      "begin in the same column)"}},
    {"ListNotClosed",
     "listeners: [{address: :80}\nworkers: 1\n",
     {"2:1: error: not valid YAML: a list is not closed before here (is a ']' missing?)"}},
    {"MapNotClosed",
     "admin: {address: :80\nworkers: 1\n",
     {"2:8: error: not valid YAML: a map is not closed before here (is a '}' missing?)"}},
    {"WrongBracket",
     "admin: {address: [:80}}\n",
     {"1:22: error: not valid YAML: a list or map is closed by the wrong bracket (is a ']' or '}' "
      "missing?)"}},
    {"ColonInValue",
     "admin: a: b\n",
     {"1:9: error: not valid YAML: a ':' too many (quote a value with ': ' in it)"}},
    {"KeyAtTheStartOfALine",
     "admin: off\n  name: x\n",
     {"2:7: error: not valid YAML: this line does not continue the map above it (the keys of a map "
      "begin in the same column)"}},
    {"QuoteNotClosed",
     "admin: {address: \":80}\nworkers: 1\n",
     {"3:1: error: not valid YAML: a map is not closed before here (is a '}' missing?)"}},
    {"BadEscape",
     "admin: {address: \"a\\q\"}\n",
     {"1:22: error: not valid YAML: a '\\' before a character that needs none (use single quotes, "
      "or write \\\\)"}},
    {"BadFirstCharacter",
     "workers: @home\n",
     {"1:10: error: not valid YAML: a character that cannot begin a value (quote a value that "
      "starts like this)"}},
    {"TwoDocuments",
     kGood + "---\nworkers: 1\n",
     {"3:1: error: a second YAML document (a configuration is one document)"}},
    {"Tag",
     "listeners: !include x.yaml\n",
     {"1:12: error: the tag '!include' means nothing here (if it is part of the value, quote the "
      "value)"}},
    {"AnchorInItself",
     "listeners: &a [*a]\n",
     {"1:16: error: an anchor that contains an alias of itself"}},
    {"NotText",
     kListener + "workers: \xff\n",
     {"2:10: error: not a text file (a configuration is UTF-8)"}},
    {"Nul",
     "workers: " + std::string(1, '\0'),
     {"1:10: error: not a text file (a configuration is UTF-8)"}},
};
INSTANTIATE_TEST_SUITE_P(Syntax, ConfigErrors, testing::ValuesIn(kSyntax), row_name);

const Row kShape[] = {
    {"UnknownKey",
     pool("max_conections: 8"),
     {"4:12: error: unknown key 'max_conections' in upstreams.app.pool (did you mean "
      "max_connections?)"}},
    {"UnknownKeyAtTheTop",
     kGood + "worker: 2\n",
     {"3:1: error: unknown key 'worker' (did you mean workers?)"}},
    {"MisplacedKey",
     upstream("max_connections: 8"),
     {"4:5: error: unknown key 'max_connections' in upstreams.app (it belongs in "
      "upstreams.app.pool)"}},
    {"AnchorPlaceOnlyAtTheTop",
     listener("x-note: 1"),
     {"4:5: error: unknown key 'x-note' in listeners[0]"}},
    {"DuplicateKey",
     kGood + "workers: 1\nworkers: 2\n",
     {"4:1: error: duplicate key 'workers' (first on line 3)"}},
    {"DuplicateUpstream",
     kListener + "upstreams:\n  a: {servers: [b:1]}\n  a: {servers: [b:2]}\n",
     {"4:3: error: duplicate key 'a' in upstreams (first on line 3)"}},
    {"TopIsAList", "- a\n", {"1:1: error: the configuration must be a map, not a list"}},
    {"TopIsAText",
     "hello\n",
     {"1:1: error: the configuration must be a map, not a single value (write 'key: value' lines "
      "below it)"}},
    {"TopIsAnotherLanguage",
     "server {\n  listen 80;\n}\n",
     {"1:1: error: this is a configuration of nginx, and Berth's is YAML (berth help run shows a "
      "short one; docs/comparison.md has the settings side by side)"}},
    {"JustWords",
     "serve on port 80\n",
     {"1:1: error: the configuration must be a map, not a single value (write 'key: value' lines "
      "below it)"}},
    {"NoBlankAfterColon",
     upstream("pool:\n      max_connections:8"),
     {"5:7: error: upstreams.app.pool must be a map, not a single value (YAML needs a space after "
      "the colon: 'max_connections: 8')"}},
    {"ListForMap",
     kListener + "upstreams:\n  - name: app\n    servers: [a:1]\n",
     {"3:3: error: upstreams must be a map, not a list (write 'app:' for '- name: app')"}},
    {"ListOfMapsForMap",
     kGood + "shutdown:\n  - grace: 1s\n",
     {"4:3: error: shutdown must be a map, not a list (leave out the '-')"}},
    {"MapForList",
     "listeners: {address: :80}\n" + kApp,
     {"1:12: error: listeners must be a list, not a map (begin each item with '- ')"}},
    {"TextForList",
     kListener + "upstreams: {app: {servers: a:1}}\n",
     {"2:28: error: upstreams.app.servers must be a list, not a single value (did you mean "
      "[a:1]?)"}},
    {"ListForValue",
     kGood + "workers: [1]\n",
     {"3:10: error: workers must be a single value, not a list"}},
    {"MapForValue",
     pool("max_idle: {a: b}"),
     {"4:22: error: max_idle in upstreams.app.pool must be a single value, not a map"}},
    {"NothingForValue",
     kGood + "workers:\n",
     {"3:1: error: workers has no value (leave the key out for its default)"}},
    {"NeitherMapNorOff",
     kGood + "access_log: false\n",
     {"3:13: error: access_log must be a map or off, not 'false' (did you mean off?)"}},
    {"AdminIsAnAddress",
     kGood + "admin: 127.0.0.1:9145\n",
     {"3:8: error: admin must be a map or off, not '127.0.0.1:9145' (did you mean {address: "
      "127.0.0.1:9145}?)"}},
    {"AccessLogIsAFormat",
     kGood + "access_log: combined\n",
     {"3:13: error: access_log must be a map or off, not 'combined' (did you mean {format: "
      "combined}?)"}},
    {"AccessLogIsAPath",
     kGood + "access_log: /a.log\n",
     {"3:13: error: access_log must be a map or off, not '/a.log' (did you mean {path: "
      "/a.log}?)"}},
    {"TextForMapOrOff",
     kGood + "admin: on\n",
     {"3:8: error: admin must be a map or off, not 'on' (write 'key: value' lines below it)"}},
    {"KeyIsAList",
     kListener + "upstreams: {app: {servers: [[::1]:80]}}\n",
     {"2:29: error: a key in upstreams.app.servers[0] must be a name, not a list (if this is an "
      "IPv6 address, quote it, such as \"[::1]:3000\")"}},
    {"ListItemIsAMap",
     kGood + "forwarding: {trusted_proxies: [{a: b}]}\n",
     {"3:32: error: an item in forwarding.trusted_proxies[0] must be a single value, not a map"}},
    {"KeyWithoutAName",
     ": x\n",
     {" error: no listeners: there is nowhere to accept connections (such as listeners: [{address: "
      "\":8080\"}])",
      " error: no upstreams: there is nowhere to send requests (such as upstreams: {app: {servers: "
      "[127.0.0.1:3000]}})",
      "1:1: error: a key must be a name, not nothing"}},
    {"MergeOfAValue",
     kGood + "shutdown: {<<: 1}\n",
     {"3:16: error: '<<' merges a map, not a single value (such as '<<: *defaults')"}},
    {"MergeOfAListOfValues",
     kGood + "shutdown: {<<: [1]}\n",
     {"3:17: error: '<<' merges maps, not a single value"}},
};
INSTANTIATE_TEST_SUITE_P(Shape, ConfigErrors, testing::ValuesIn(kShape), row_name);

const Row kValues[] = {
    {"DurationWithoutUnit",
     listener("keepalive_timeout: 75"),
     {"4:24: error: keepalive_timeout: '75' is not a duration (did you mean 75s?)"}},
    {"DurationOrAuto",
     pool("keepalive_timeout: forever"),
     {"4:31: error: keepalive_timeout: 'forever' is not a duration (a number with a unit: ms, s, "
      "m, "
      "h or d, such as 75s, or auto)"}},
    {"SizeWithoutUnit",
     listener("max_head: 65536"),
     {"4:15: error: max_head: '65536' is not a size (did you mean 64KiB?)"}},
    {"SizeOrUnlimited",
     listener("max_body: none"),
     {"4:15: error: max_body: 'none' is not a size (a whole number with a unit: B, KiB, MiB or "
      "GiB, "
      "such as 64KiB, or unlimited)"}},
    {"Count",
     pool("max_idle: many"),
     {"4:22: error: max_idle: 'many' is not a whole number (only digits, such as 128)"}},
    {"Boolean",
     kGood + "forwarding: {forwarded: yes}\n",
     {"3:25: error: forwarded: 'yes' is not true or false (did you mean true?)"}},
    {"Choice",
     listener("half_close: abrt"),
     {"4:17: error: half_close: unknown value 'abrt' (did you mean abort?)"}},
    {"ChoiceFarFromAll",
     upstream("balance: sticky"),
     {"4:14: error: balance: unknown value 'sticky' (one of least_requests, round_robin, "
      "random_two and hash)"}},
    {"BalanceByHash",
     upstream("balance: consistent_hash"),
     {"4:14: error: balance: unknown value 'consistent_hash' (balance: hash, with hash: {by: ...} "
      "beside it)"}},
    {"HashByNothing",
     upstream("balance: hash\n    hash: {by: header}"),
     {"5:16: error: hash is by header, but does not say which (such as name: X-Tenant)"}},
    {"HashWithoutBalance",
     upstream("hash: {by: cookie, name: a}"),
     {"4:11: error: hash says what to balance by, but balance is not hash (write balance: hash, or "
      "leave hash out)"}},
    {"HashNameForAddress",
     upstream("balance: hash\n    hash: {name: a}"),
     {"5:18: error: hash has a name, but is by client_address (write by: header or by: cookie)"}},
    {"HashName",
     upstream("balance: hash\n    hash: {by: header, name: a b}"),
     {"5:30: error: name: 'a b' is not the name of a header or cookie (letters, digits and "
      "!#$%&'*+-.^_`|~)"}},
    {"StickyWithoutCookie",
     upstream("sticky: {max_age: 1h}"),
     {"4:13: error: sticky has no cookie (such as cookie: berth_server)"}},
    {"StickyAsText",
     upstream("sticky: sid"),
     {"4:13: error: upstreams.app.sticky must be a map or off, not 'sid' (did you mean {cookie: "
      "sid}?)"}},
    {"StickyCookieName",
     upstream("sticky: {cookie: a=b}"),
     {"4:22: error: cookie: 'a=b' is not the name of a cookie (letters, digits and "
      "!#$%&'*+-.^_`|~)"}},
    {"StickyPath",
     upstream("sticky: {cookie: a, path: app}"),
     {"4:31: error: path: 'app' is not a path (did you mean /app?)"}},
    {"StickyPathWithAttribute",
     upstream("sticky: {cookie: a, path: /;Domain=b}"),
     {"4:31: error: path: '/;Domain=b' cannot be the path of a cookie (no blanks, no ';')"}},
    {"StickyForever",
     upstream("sticky: {cookie: a, max_age: 0}"),
     {"4:34: error: max_age: '0' is out of range, 1s to 3650d (to end it with the browser's "
      "session, write max_age: session)"}},
    {"SameSiteNoneInTheClear",
     upstream("sticky: {cookie: a, same_site: none, secure: false}"),
     {"4:36: error: browsers refuse a cookie with same_site: none that is not secure (write "
      "secure: true)"}},
    {"OneStickyCookieForTwo",
     kListener +
         "upstreams:\n  a: {servers: [b:1], sticky: {cookie: c}}\n"
         "  d: {servers: [b:2], sticky: {cookie: c}}\nroutes: [{upstream: a}, {path: /d, upstream: "
         "d}]\n",
     {"4:40: warning: another upstream has the same sticky cookie 'c': clients that use both are "
      "moved about (first on line 3)"}},
    {"WeightOutOfRange",
     kListener + "upstreams: {app: {servers: [{address: a:1, weight: 0}]}}\n",
     {"2:52: error: weight: '0' is out of range, 1 to 1000 (to take a server out, remove it from "
      "the list)"}},
    {"OnlyBackups",
     kListener + "upstreams: {app: {servers: [{address: a:1, backup: true}]}}\n",
     {"2:28: error: every server of upstream 'app' is a backup (at least one must not be: a backup "
      "serves while no other server may)"}},
    {"SlowStart",
     upstream("slow_start: 0"),
     {"4:17: error: slow_start: '0' is out of range, 1s to 24h (to turn it off, write slow_start: "
      "off)"}},
    {"Mode",
     listener("unix_mode: 0999"),
     {"4:16: error: unix_mode: '0999' is not a file mode (three octal digits, such as 0660)"}},
    {"ListenAddress",
     "listeners: [{address: localhost:80}]\n" + kApp,
     {"1:23: error: address: 'localhost:80' is a name (listen on an IP address: did you mean "
      "127.0.0.1:80?)"}},
    {"ServerAddress",
     kListener + "upstreams: {app: {servers: [3000, {address: x}]}}\n",
     {"2:29: error: server: '3000' is a port without a host (did you mean 127.0.0.1:3000?)",
      "2:45: error: address: 'x' has no port (such as x:3000)"}},
    {"AdminAddress",
     kGood + "admin: {address: 9145}\n",
     {"3:18: error: address: '9145' is a port without a host (did you mean :9145?)"}},
    {"LogPathRelative",
     kGood + "access_log: {path: log/a.log}\n",
     {"3:20: error: path: 'log/a.log' is not an absolute path (or - for standard output)"}},
    {"LogPathFolder",
     kGood + "access_log: {path: /var/log/}\n",
     {"3:20: error: path: '/var/log/' is a directory (name a file in it)"}},
    {"LogTemplateUnknownField",
     kGood + "access_log: {format: template, template: \"{methd}\"}\n",
     {"3:42: error: template: there is no field {methd} (did you mean {method}?)"}},
    {"LogTemplateBrace",
     kGood + "access_log: {format: template, template: \"{status\"}\n",
     {"3:42: error: template: a brace without its partner in '{status' (fields are written {name}; "
      "{{ and }} stand for braces)"}},
    {"LogTemplateTwice",
     kGood + "access_log: {format: template, template: \"{status} {status}\"}\n",
     {"3:42: error: template: the field {status} stands twice in the template (each field can be "
      "named once)"}},
    {"LogTemplateMissing",
     kGood + "access_log: {format: template}\n",
     {"3:22: error: access_log.format is template, and there is no template (such as template: "
      "\"{client} {method} {target} {status} {duration}\")"}},
    {"LogTemplateWithoutFormat",
     kGood + "access_log: {template: \"{status}\"}\n",
     {"3:24: error: access_log.template without its format (did you mean format: template?)"}},
    {"LogPathControlByte",
     kGood + "access_log: {path: \"/a\\n\"}\n",
     {"3:20: error: path: '/a\\x0a' has a control byte"}},
    {"Network",
     kGood + "forwarding: {trusted_proxies: [10.0.0.0/33, lb]}\n",
     {"3:32: error: trusted_proxies: '10.0.0.0/33' has a wrong prefix length (0 to 32)",
      "3:45: error: trusted_proxies: 'lb' is not an IP address or block (such as 10.0.0.1, "
      "10.0.0.0/8 or fd00::/8)"}},
    {"ListenerName",
     listener("name: my app"),
     {"4:11: error: name: 'my app' is not a name (a name has no blanks)"}},
    {"EmptyName",
     listener("name: ''"),
     {"4:11: error: name: '' is not a name (a name has 1 to 128 characters)"}},
    {"LongestName", listener("name: " + std::string(128, 'a')), {}},
    {"NameTooLong",
     listener("name: " + std::string(129, 'a')),
     {"4:11: error: name: '" + std::string(60, 'a') +
      "...' is not a name (a name has 1 to 128 characters)"}},
    {"UpstreamName",
     kListener + "upstreams: {\"my app\": {servers: [a:1]}}\n",
     {"2:13: error: 'my app' is not a name (a name has no blanks)"}},
};
INSTANTIATE_TEST_SUITE_P(Values, ConfigErrors, testing::ValuesIn(kValues), row_name);

const Row kRanges[] = {
    {"ClientKeepaliveZero",
     listener("keepalive_timeout: 0"),
     {"4:24: error: keepalive_timeout: '0' is out of range, 1ms to 24h (to close after every "
      "response, set keepalive_requests: 1)"}},
    {"ServerKeepaliveZero",
     pool("keepalive_timeout: 0s"),
     {"4:31: error: keepalive_timeout: '0s' is out of range, 1ms to 24h (to keep no idle "
      "connections, set max_idle: 0)"}},
    {"QueueTimeoutZero",
     pool("queue_timeout: 0s"),
     {"4:27: error: queue_timeout: '0s' is out of range, 1ms to 24h (for no queue at all, set "
      "queue_size: 0)"}},
    {"TooLong",
     upstream("connect_timeout: 2d"),
     {"4:22: error: connect_timeout: '2d' is out of range, 1ms to 24h"}},
    {"JustLongEnough", upstream("connect_timeout: 24h"), {}},
    {"JustShortEnough", upstream("connect_timeout: 1ms"), {}},
    {"LargestCount", pool("queue_size: 1000000"), {}},
    {"SmallestSize", upstream("response_buffer: 4KiB"), {}},
    {"NoRequests",
     pool("keepalive_requests: 0"),
     {"4:32: error: keepalive_requests: '0' is out of range, 1 to 10000000 (1 closes after every "
      "request)"}},
    {"NoClientConnections",
     listener("max_connections: 0"),
     {"4:22: error: max_connections: '0' is out of range, 1 to 10000000 (write auto for as many as "
      "files may be open)"}},
    {"NoServerConnections",
     pool("max_connections: 0"),
     {"4:29: error: max_connections: '0' is out of range, 1 to 1000000 (at least one is needed)"}},
    {"NoRate",
     listener("min_body_rate: 0"),
     {"4:20: error: min_body_rate: '0' is out of range, 1B/s to 1GiB/s (write off for no limit)"}},
    {"ARateThatIsNone",
     listener("min_send_rate: slow"),
     {"4:20: error: min_send_rate: 'slow' is not a rate (a size a second, such as 1KiB/s, or "
      "off)"}},
    {"NoBody",
     listener("max_body: 0"),
     {"4:15: error: max_body: '0' is out of range, 1B to 1024GiB (write unlimited for no limit)"}},
    {"NoWorkers",
     kGood + "workers: 0\n",
     {"3:10: error: workers: '0' is out of range, 1 to 256 (write auto for one per core)"}},
    {"TooManyWorkers",
     kGood + "workers: 257\n",
     {"3:10: error: workers: '257' is out of range, 1 to 256"}},
    {"BeyondThirtyTwoBits",
     pool("queue_size: 4294967296"),
     {"4:24: error: queue_size: '4294967296' is out of range, 0 to 1000000"}},
    {"Percent",
     upstream("retry: {budget_percent: 101}"),
     {"4:29: error: budget_percent: '101' is out of range, 0 to 100"}},
    {"NoAttempts",
     upstream("retry: {attempts: 0}"),
     {"4:23: error: attempts: '0' is out of range, 1 to 16 (1 never retries)"}},
    {"TcpKeepalive",
     listener("tcp_keepalive: {idle: 500ms, count: 128}"),
     {"4:27: error: idle: '500ms' is out of range, 1s to 32767s (to turn it off, write "
      "tcp_keepalive: off)",
      "4:41: error: count: '128' is out of range, 1 to 127"}},
    {"Buffer",
     upstream("response_buffer: 1KiB"),
     {"4:22: error: response_buffer: '1KiB' is out of range, 4KiB to 64MiB"}},
};
INSTANTIATE_TEST_SUITE_P(Ranges, ConfigErrors, testing::ValuesIn(kRanges), row_name);

const Row kRoutes[] = {
    {"HostUrl",
     route("host: 'https://a.b'"),
     {"4:27: error: host: 'https://a.b' is a URL (only the host name, and the path under 'path')"}},
    {"HostPort",
     route("host: A.b:80"),
     {"4:27: error: host: 'A.b:80' has a port (routes match the host without its port: did you "
      "mean "
      "a.b?)"}},
    {"HostStarInside",
     route("host: a.*.b"),
     {"4:27: error: host: 'a.*.b' is not a host ('*' stands for all hosts, '*.example.com' for all "
      "below)"}},
    {"HostDot",
     route("host: .a.b"),
     {"4:27: error: host: '.a.b' is not a host (did you mean *.a.b?)"}},
    {"HostBrackets", route("host: '[a]'"), {"4:27: error: host: '[a]' is not a host"}},
    {"HostIpv6", route("host: '[::1]'"), {}},
    {"HostIpv6Block", route("host: '[::1/64]'"), {"4:27: error: host: '[::1/64]' is not a host"}},
    {"HostBelowIpv6", route("host: '*.[::1]'"), {"4:27: error: host: '*.[::1]' is not a host"}},
    {"PathSlash", route("path: /api/"), {}},
    {"PathDoubleSlashAtTheEnd",
     route("path: /api//"),
     {"4:27: error: path: '/api//' matches no request ('//' is resolved before routes are looked "
      "at)"}},
    {"PathDotsWithinNames", route("path: /.well-known/a..b/..."), {}},
    {"HostCharacters", route("host: a_b/c"), {"4:27: error: host: 'a_b/c' is not a host name"}},
    {"PathRelative",
     route("path: api"),
     {"4:27: error: path: 'api' is not a path (did you mean /api?)"}},
    {"PathStar",
     route("path: /api/*"),
     {"4:27: error: path: '/api/*' ends in '*' (a path matches all that is below it: did you mean "
      "/api?)"}},
    {"PathOnlyStar",
     route("path: /**"),
     {"4:27: error: path: '/**' ends in '*' (a path matches all that is below it: did you mean "
      "/?)"}},
    {"PathQuery",
     route("path: '/a?b=c'"),
     {"4:27: error: path: '/a?b=c' has more than a path (routes do not look at the query)"}},
    {"PathEncoded",
     route("path: /a%20b"),
     {"4:27: error: path: '/a%20b' has characters that URLs percent-encode, which no route can "
      "match (end the path before them)"}},
    {"PathNotAscii",
     route("path: /\xc3\xa9"),
     {"4:27: error: path: '/\xc3\xa9' has characters that URLs percent-encode, which no route can "
      "match (end the path before them)"}},
    {"PathDots",
     route("path: /a/../b"),
     {"4:27: error: path: '/a/../b' matches no request ('/../' is resolved before routes are "
      "looked "
      "at)"}},
    {"PathEndsInDots",
     route("path: /a/.."),
     {"4:27: error: path: '/a/..' matches no request ('/../' is resolved before routes are looked "
      "at)"}},
    {"PathSlashes",
     route("path: /a//b"),
     {"4:27: error: path: '/a//b' matches no request ('//' is resolved before routes are looked "
      "at)"}},
    {"PathOnlySlashes",
     route("path: //"),
     {"4:27: error: path: '//' matches no request ('//' is resolved before routes are looked at)"}},
    {"HeaderName",
     route("request_headers: {set: {'a b': c}, remove: ['']}"),
     {"4:45: error: set: 'a b' is not a header name (letters, digits and !#$%&'*+-.^_`|~)",
      "4:65: error: remove: '' is not a header name (letters, digits and !#$%&'*+-.^_`|~)"}},
    {"HeaderThatFrames",
     route("request_headers: {set: {Content-Length: 1}, remove: [Transfer-Encoding]}"),
     {"4:45: error: set: 'Content-Length' cannot be changed by a rule (Berth writes it itself, so "
      "that messages begin and end where they should)",
      "4:74: error: remove: 'Transfer-Encoding' cannot be changed by a rule (Berth writes it "
      "itself, so that messages begin and end where they should)"}},
    {"HeaderValue",
     route("response_headers: {set: {A: \"a\\r\\nb\", B: ' c', D: }}"),
     {"4:49: error: A: 'a\\x0d\\x0ab' has a control byte (a header value is one line)",
      "4:62: error: B: ' c' begins or ends with a blank (HTTP drops it: leave it out)",
      "4:68: error: header 'D' is set to nothing (for an empty value write \"\")"}},
    {"HeaderValueTooLong",
     route("response_headers: {set: {A: " + std::string(8193, 'a') + "}}"),
     {"4:49: error: A: '" + std::string(60, 'a') + "...' is too long (at most 8KiB)"}},
    {"HeaderValueJustRight",
     route("response_headers: {set: {A: " + std::string(8192, 'a') + "}}"),
     {}},
    {"HostRemoved",
     route("request_headers: {remove: [host]}"),
     {"4:48: error: 'Host' cannot be removed (every HTTP/1.1 request must have it; it can be "
      "set)"}},
    {"HeaderSetTwice",
     route("request_headers: {set: {X-A: 1, x-a: 2}}"),
     {"4:53: error: header 'x-a' is set twice (first on line 4)"}},
    {"HeaderSetAndRemoved",
     route("response_headers: {set: {X-A: 1}, remove: [x-a]}"),
     {"4:64: error: header 'x-a' is both set and removed (first on line 4)"}},
    {"HeaderRemovedTwice",
     route("response_headers: {remove: [a, A]}"),
     {"4:52: error: header 'A' is removed twice (first on line 4)"}},
};
INSTANTIATE_TEST_SUITE_P(Routes, ConfigErrors, testing::ValuesIn(kRoutes), row_name);

const Row kContradictions[] = {
    {"Empty",
     "",
     {" error: no listeners: there is nowhere to accept connections (such as listeners: [{address: "
      "\":8080\"}])",
      " error: no upstreams: there is nowhere to send requests (such as upstreams: {app: {servers: "
      "[127.0.0.1:3000]}})"}},
    {"NoListeners",
     kApp + "listeners: []\n",
     {"2:12: error: no listeners: there is nowhere to accept connections (such as listeners: "
      "[{address: \":8080\"}])"}},
    {"ListenerWithoutAddress",
     "listeners:\n  - name: a\n" + kApp,
     {"2:5: error: listeners[0] has no address (such as address: \":8080\")"}},
    {"ListenerWithoutAddressBesideAnotherError",
     "listeners: [{name: 'a b'}]\n" + kApp,
     {"1:13: error: listeners[0] has no address (such as address: \":8080\")",
      "1:20: error: name: 'a b' is not a name (a name has no blanks)"}},
    {"DuplicateListener",
     "listeners:\n  - address: '[0::]:80'\n  - address: '[::]:80'\n" + kApp,
     {"3:14: error: duplicate listener address '[::]:80' (first on line 2)"}},
    {"BothFamiliesAndOne",
     "listeners:\n  - address: :80\n  - address: 0.0.0.0:80\n" + kApp,
     {"3:14: error: duplicate listener address '0.0.0.0:80' (first on line 2)"}},
    {"DuplicateListenerName",
     "listeners:\n  - {address: :80, name: a}\n  - {address: :81, name: a}\n" + kApp,
     {"3:26: error: duplicate listener name 'a' (first on line 2)"}},
    {"AdminOnAListener",
     "listeners: [{address: :80}, {address: ':9145'}]\n" + kApp +
         "admin: {address: 127.0.0.1:9145}\n",
     {"3:18: error: admin address '127.0.0.1:9145' is taken by a listener (the listener is on line "
      "1)"}},
    {"AdminOverAListener",
     "listeners: [{address: '127.0.0.1:9145'}]\n" + kApp + "admin: {address: 0.0.0.0:9145}\n",
     {"3:18: error: admin address '0.0.0.0:9145' is taken by a listener (the listener is on line "
      "1)"}},
    {"AdminOnAUnixListener",
     "listeners: [{address: unix:/a}]\n" + kApp + "admin: {address: unix:/a}\n",
     {"3:18: error: admin address 'unix:/a' is taken by a listener (the listener is on line 1)"}},
    {"AdminBesideListeners",
     "listeners: [{address: '127.0.0.1:9145'}, {address: '[::]:9146'}, {address: unix:/a}]\n" +
         kApp + "admin: {address: 127.0.0.2:9145}\n",
     {}},
    {"AdminBesideOtherFamily",
     "listeners: [{address: '[::]:9145'}, {address: :9146}]\n" + kApp +
         "admin: {address: 127.0.0.1:9145}\n",
     {}},
    {"DuplicateServer",
     kListener + "upstreams:\n  a:\n    servers:\n      - b:1\n      - B:1\n",
     {"6:9: error: duplicate server 'B:1' in upstream 'a' (first on line 5)"}},
    {"UpstreamWithoutServers",
     kListener + "upstreams:\n  a: {}\n",
     {"3:3: error: upstream 'a' has no servers (such as servers: [127.0.0.1:3000])"}},
    {"EmptyServers",
     kListener + "upstreams: {a: {servers: []}}\n",
     {"2:26: error: upstream 'a' has no servers (such as servers: [127.0.0.1:3000])"}},
    {"ServerWithoutAddress",
     kListener + "upstreams: {a: {servers: [{}]}}\n",
     {"2:27: error: a server of upstream 'a' has no address (such as 127.0.0.1:3000)"}},
    {"NoRoutesForTwoUpstreams",
     kListener + "upstreams: {a: {servers: [b:1]}, c: {servers: [d:1]}}\n",
     {" error: no routes, and more than one upstream to choose from (such as routes: [{path: /, "
      "upstream: a}])"}},
    {"RouteWithoutUpstream",
     kGood + "routes:\n  - path: /\n",
     {"4:5: error: routes[0] has no upstream (such as upstream: app)"}},
    {"UnknownUpstreamNearOne",
     kGood + "routes: [{upstream: ap}]\n",
     {"3:21: error: unknown upstream 'ap' (did you mean app?)"}},
    {"UnknownUpstreamOfOne",
     kGood + "routes: [{upstream: backend}]\n",
     {"3:21: error: unknown upstream 'backend' (the only upstream is app)"}},
    {"UnknownUpstreamOfTwo",
     kListener + "upstreams: {a: {servers: [b:1]}, c: {servers: [d:1]}}\n" +
         "routes: [{upstream: backend}]\n",
     {"3:21: error: unknown upstream 'backend' (there are a and c)"}},
    {"RestLongerThanTheQueue",
     pool("rest_timeout: 3s"),
     {"4:26: warning: rest_timeout is not below queue_timeout (who waits for a client that has "
      "stalled is refused before that is ended)"}},
    {"SpoolOfALittleBudget",
     kGood + "spool: {max_size: 2GiB, budget: 1GiB}\n",
     {"3:19: error: max_size is above budget, which is for all of them (raise budget or lower "
      "max_size)"}},
    {"SpoolThatIsOff",
     kGood + "spool: off\nroutes:\n  - {upstream: app, request_body: spool}\n",
     {"5:35: error: request_body: spool, and spool is off (turn spool on, or write request_body: "
      "auto)"}},
    {"SpoolInARelativeFolder",
     kGood + "spool: {path: tmp}\n",
     {"3:15: error: path: 'tmp' is not an absolute path (such as /var/spool/berth, or auto)"}},
    {"DuplicateRoute",
     kGood + "routes:\n  - {host: A.b, upstream: app}\n  - {host: a.B, path: /, upstream: app}\n",
     {"5:5: error: duplicate route for host 'a.b' and path '/' (first on line 4)"}},
};
INSTANTIATE_TEST_SUITE_P(Contradictions, ConfigErrors, testing::ValuesIn(kContradictions),
                         row_name);

TEST(ConfigErrorsTogether, AllAreReportedInTheOrderOfTheFile) {
  const std::vector<std::string> expected = {
      "1:10: error: workers: '0' is out of range, 1 to 256 (write auto for one per core)",
      "3:5: error: unknown key 'adress' in listeners[0] (did you mean address?)",
      "4:24: error: keepalive_timeout: '75' is not a duration (did you mean 75s?)",
      "8:13: error: unknown key 'max_idel' in upstreams.app.pool (did you mean max_idle?)",
      "9:23: error: unknown upstream 'ap' (did you mean app?)",
  };
  EXPECT_EQ(complaints("workers: 0\n"
                       "listeners:\n"
                       "  - adress: :80\n"
                       "    keepalive_timeout: 75\n"
                       "upstreams:\n"
                       "  app:\n"
                       "    servers: [a:1]\n"
                       "    pool: { max_idel: 1 }\n"
                       "routes: [ { upstream: ap } ]\n"),
            expected);
}

TEST(ConfigErrorsTogether, AFloodIsCounted) {
  std::string yaml = kGood;
  for (int i = 0; i < 250; ++i) yaml += "bogus" + std::to_string(i) + ": 1\n";
  const LoadResult result = load_text(yaml);
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.errors, 250U);
  ASSERT_EQ(result.diagnostics.size(), Diagnostics::kMaxKept + 1);
  EXPECT_EQ(result.diagnostics.back().message, "150 more like these are not shown");
}

TEST(ConfigErrorsTogether, OneMistakeBehindTwoAliasesIsOneError) {
  const LoadResult result = load_text(
      "x-l: &l {max_head: 1}\n"
      "listeners: [{<<: *l, address: :80}, {<<: *l, address: :81}]\n" +
      kApp);
  EXPECT_EQ(result.errors, 1U);
  EXPECT_EQ(result.diagnostics.size(), 1U);
}

TEST(ConfigErrorsTogether, WithoutAPlaceOrAFile) {
  EXPECT_EQ(to_string({Level::Error, 3, 5, "m", "h"}, "f"), "f:3:5: error: m (h)");
  EXPECT_EQ(to_string({Level::Warning, 0, 0, "m", ""}, "f"), "f: warning: m");
  EXPECT_EQ(to_string({Level::Error, 0, 0, "m", ""}, ""), "error: m");
}

TEST(ConfigErrorsTogether, KeysAreShownSafely) {
  const LoadResult result =
      load_text("upstreams: {\"a\\e[31m\\n\": {x: 1}, " + std::string(900, 'a') + ": {x: 1}}\n");
  ASSERT_GE(result.errors, 4U);
  for (const Diagnostic& diagnostic : result.diagnostics) {
    const std::string line = to_string(diagnostic, "f");
    EXPECT_EQ(line.find_first_of("\n\x1b"), std::string::npos) << line;
    EXPECT_LT(line.size(), 1'200U);
  }
}

TEST(ConfigErrorsTogether, ValuesAreShownSafely) {
  EXPECT_EQ(in_quotes("a\x1b[31m\n"), "'a\\x1b[31m\\x0a'");
  EXPECT_EQ(in_quotes(std::string(100, 'a')), "'" + std::string(60, 'a') + "...'");
  EXPECT_EQ(in_quotes(std::string(59, 'a') + "\xc3\xa9"), "'" + std::string(59, 'a') + "...'");
}

}  // namespace
}  // namespace berth::config
