// What is added, kept and removed, and which request goes where.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { scenario } from './lib/scenario.mjs';
import { within } from './lib/wait.mjs';

// Answers with the head that it got, as it got it.
function tell(request, response) {
  response.end(JSON.stringify({ url: request.url, raw: request.rawHeaders, ...request.headers }));
}

async function headOf(s, berth, lines, path = '/') {
  const wire = await s.wire(berth);
  wire.write(`GET ${path} HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
  const got = await wire.response();
  assert.equal(got.status, 200, got.body);
  wire.destroy();
  return JSON.parse(got.body);
}

function names(seen) { return seen.raw.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()); }

// --- About the client

scenario('X-Forwarded-* tell about the client, whatever it says itself', async (s) => {
  const berth = await s.front(await s.origin(tell));
  const plain = await headOf(s, berth, ['Host: shop.example:8080']);
  assert.deepEqual([plain['x-forwarded-for'], plain['x-forwarded-proto'], plain['x-forwarded-host'], plain.host],
    ['127.0.0.1', 'http', 'shop.example:8080', 'shop.example:8080']);
  assert.match(plain['x-request-id'], /^[0-9a-f]{32}$/);
  const forged = await headOf(s, berth, ['Host: a', 'X-Forwarded-For: 1.2.3.4', 'X-Forwarded-For: 5.6.7.8', 'X-Forwarded-Proto: https',
    'X-Forwarded-Host: evil.example', 'X-Request-Id: mine', 'Forwarded: for=9.9.9.9']);
  assert.deepEqual([forged['x-forwarded-for'], forged['x-forwarded-proto'], forged['x-forwarded-host'], forged.forwarded],
    ['127.0.0.1', 'http', 'a', undefined]);
  assert.notEqual(forged['x-request-id'], 'mine');
  for (const name of ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-request-id']) {
    assert.equal(names(forged).filter((one) => one === name).length, 1, name);
  }
});

scenario('no client can have them removed by naming them in Connection', async (s) => {
  const berth = await s.front(await s.origin(tell));
  const seen = await headOf(s, berth, ['Host: a', 'Connection: X-Forwarded-For, X-Forwarded-Proto, X-Request-Id, Host', 'X-Forwarded-For: 1.2.3.4']);
  assert.deepEqual([seen['x-forwarded-for'], seen['x-forwarded-proto'], seen.host], ['127.0.0.1', 'http', 'a']);
  assert.ok(seen['x-request-id']);
});

scenario('a trusted proxy is believed and added to', async (s) => {
  const berth = await s.front(await s.origin(tell), { forwarding: { trusted_proxies: ['127.0.0.0/8'], forwarded: true } });
  const seen = await headOf(s, berth, ['Host: a', 'X-Forwarded-For: 1.2.3.4', 'X-Forwarded-For: 5.6.7.8', 'X-Forwarded-Proto: https',
    'X-Forwarded-Host: shop.example', 'X-Request-Id: theirs', 'Forwarded: for=9.9.9.9']);
  assert.deepEqual([seen['x-forwarded-for'], seen['x-forwarded-proto'], seen['x-forwarded-host'], seen['x-request-id']],
    ['1.2.3.4, 5.6.7.8, 127.0.0.1', 'https', 'shop.example', 'theirs']);
  assert.equal(seen.forwarded, 'for=9.9.9.9, for=127.0.0.1;host="a";proto=http');
});

scenario('a proxy in front at a Unix socket is trusted as unix:', async (s) => {
  const socket = `${s.folder()}/front.sock`;
  const origin = await s.origin(tell);
  for (const [trusted, expected] of [[['unix:'], '9.9.9.9, 10.0.0.1'], [[], 'unix']]) {
    const berth = await s.front(origin, { listener: { address: `unix:${socket}${trusted.length}` }, forwarding: { trusted_proxies: trusted } });
    const seen = await headOf(s, berth, ['Host: a', 'X-Forwarded-For: 9.9.9.9, 10.0.0.1', 'X-Forwarded-Proto: https']);
    assert.deepEqual([seen['x-forwarded-for'], seen['x-forwarded-proto']], [expected, trusted.length ? 'https' : 'http']);
  }
});

scenario('others are not, even where some are trusted', async (s) => {
  const berth = await s.front(await s.origin(tell), { forwarding: { trusted_proxies: ['10.0.0.0/8', '::1', '192.0.2.1'] } });
  const seen = await headOf(s, berth, ['Host: a', 'X-Forwarded-For: 1.2.3.4']);
  assert.equal(seen['x-forwarded-for'], '127.0.0.1');
});

scenario('Forwarded (RFC 7239) of an IPv6 client', async (s) => {
  const berth = await s.front(await s.origin(tell), { listener: { address: '[::1]:0' }, forwarding: { forwarded: true } });
  const seen = await headOf(s, berth, ['Host: [::1]:80']);
  assert.equal(seen.forwarded, 'for="[::1]";host="[::1]:80";proto=http');
});

scenario('request_id: off', async (s) => {
  const berth = await s.front(await s.origin(tell), { forwarding: { request_id: false } });
  assert.equal((await headOf(s, berth, ['Host: a']))['x-request-id'], undefined);
});

scenario('two requests never have the same id', async (s) => {
  const berth = await s.front(await s.origin(tell));
  const ids = new Set();
  for (let i = 0; i < 200; ++i) ids.add(JSON.parse((await s.request(berth)).body)['x-request-id']);
  assert.equal(ids.size, 200);
});

scenario('fields that only a proxy may set do not come from strangers, under whatever spelling', async (s) => {
  const origin = await s.origin(tell);
  const lines = ['Host: a.test', 'X-Forwarded-Port: 1', 'X-Forwarded-Prefix: /evil', 'X-Real-IP: 6.6.6.6', 'x_forwarded_for: 7.7.7.7',
    'X-Original-URL: /admin', 'Content_Length: 3', 'X-Stays: 1'];
  const berth = await s.front(origin);
  const gone = ['x-forwarded-port', 'x-forwarded-prefix', 'x-real-ip', 'x_forwarded_for', 'x-original-url', 'content_length'];
  const seen = await headOf(s, berth, lines);
  for (const name of gone) assert.equal(seen[name], undefined, name);
  assert.equal(seen['x-stays'], '1');
  const behind = await s.front(origin, { forwarding: { trusted_proxies: ['127.0.0.1'] } });
  const believed = await headOf(s, behind, lines);
  assert.deepEqual([believed['x-forwarded-prefix'], believed['x-real-ip'], believed.x_forwarded_for], ['/evil', '6.6.6.6', undefined]);
  const open = await s.front(origin, { forwarding: { strip: [] } });
  assert.deepEqual((await headOf(s, open, lines))['x-real-ip'], '6.6.6.6');
});

scenario('a trailer cannot bring in what a field could not', async (s) => {
  const origin = await s.origin(async (request, response) => {
    for await (const _ of request);
    response.writeHead(200, { Trailer: 'X-Sum, X-Hidden' });
    response.write(JSON.stringify(request.trailers));
    response.addTrailers({ 'X-Sum': '7', 'X_Hidden': 'secret' });
    response.end();
  });
  const config = {
    workers: 1,
    listeners: [{ address: '127.0.0.1:0', http2: { cleartext: true } }],
    upstreams: { app: { servers: [origin.address] } },
    routes: [{ upstream: 'app', request_headers: { set: { 'X-Role': 'user' }, remove: ['X-Secret'] }, response_headers: { remove: ['X-Hidden'] } }],
    admin: { address: '127.0.0.1:0' },
  };
  const berth = await s.berth(config);
  const wire = await s.wire(berth);
  wire.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Secret: s\r\nx_role: admin\r\nX-Real-Ip: 1\r\nX-Fine: 2\r\n\r\n');
  const got = await wire.response();
  assert.deepEqual(JSON.parse(got.body), { 'x-fine': '2' });
  assert.deepEqual(got.trailers.fields, [['X-Sum', '7']]);
  const session = http2.connect(berth.url);
  s.client(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-secret': 's', x_role: 'admin', 'x-fine': '2' }));
  let trailers = null;
  stream.on('trailers', (fields) => { trailers = fields; });
  stream.end('x');
  let body = '';
  for await (const piece of stream.setEncoding('utf8')) body += piece;
  assert.deepEqual(JSON.parse(body), { 'x-fine': '2' });
  assert.deepEqual(Object.entries(trailers), [['x-sum', '7']]);
});

// --- Via and Date

scenario('Via tells the server of Berth; via: off does not', async (s) => {
  const origin = await s.origin(tell);
  const berth = await s.front(origin, { listener: { http2: { cleartext: true } } });
  const seen = await headOf(s, berth, ['Host: a', 'Via: 1.0 cache.example']);
  assert.match(seen.via, /^1\.0 cache\.example, 1\.1 berth-[0-9a-f]{16}$/);
  assert.equal((await headOf(s, berth, ['Host: a'])).via, seen.via.split(', ')[1], 'one name for all workers');
  const session = http2.connect(berth.url);
  s.client(() => session.destroy());
  let body = '';
  for await (const piece of session.request({ ':path': '/' }).setEncoding('utf8')) body += piece;
  assert.match(JSON.parse(body).via, /^2\.0 berth-/);
  const silent = await s.front(origin, { forwarding: { via: false } });
  assert.equal((await headOf(s, silent, ['Host: a'])).via, undefined);
});

scenario('a request that comes round again: 508 at once', async (s) => {
  const app = await s.origin();
  const first = await s.front(app);
  const second = await s.front(first.addresses[0].host + ':' + first.address.port);
  await first.reload({ ...JSON.parse(readFileSync(first.file, 'utf8')), upstreams: { app: { servers: [`127.0.0.1:${second.address.port}`] } } });
  const got = await s.request(first);
  assert.deepEqual([got.status, got.headers['proxy-status']], [508, 'berth; error=proxy_loop_detected; details="loop_detected"']);
  const m = await first.measured((now) => now.sum('berth_client_requests_total') === 2);
  assert.equal(m.sum('berth_client_requests_refused_total', { reason: 'loop_detected' }), 1);
  // Itself.
  await second.reload({ ...JSON.parse(readFileSync(second.file, 'utf8')), upstreams: { app: { servers: [`127.0.0.1:${second.address.port}`] } } });
  assert.equal((await s.request(second)).status, 508);
  await second.reload({ ...JSON.parse(readFileSync(second.file, 'utf8')), upstreams: { app: { servers: [app.address] } } });
  assert.equal((await s.request(second)).status, 200);
});

scenario('a response without a Date gets one; another keeps its own', async (s) => {
  const origin = await s.origin((request, response) => {
    if (request.url === '/none') response.sendDate = false;
    else response.setHeader('Date', 'Sun, 06 Nov 1994 08:49:37 GMT');
    response.end('ok');
  });
  const berth = await s.front(origin, { listener: { http2: { cleartext: true } } });
  const dated = await s.request(berth, { path: '/none' });
  assert.ok(Math.abs(new Date(dated.headers.date) - Date.now()) < 60_000, dated.headers.date);
  assert.equal((await s.request(berth, { path: '/own' })).headers.date, 'Sun, 06 Nov 1994 08:49:37 GMT');
  const session = http2.connect(berth.url);
  s.client(() => session.destroy());
  const date = (path) => new Promise((resolve, reject) => session.request({ ':path': path }).on('response', (h) => resolve(h.date)).on('error', reject).resume());
  assert.equal(await date('/own'), 'Sun, 06 Nov 1994 08:49:37 GMT');
  assert.ok(Math.abs(new Date(await date('/none')) - Date.now()) < 60_000);
});

// --- Hop by hop

scenario('hop-by-hop fields of a request end here, those named in Connection too', async (s) => {
  const berth = await s.front(await s.origin(tell));
  const seen = await headOf(s, berth, ['Host: a', 'Connection: keep-alive, X-Secret, close-not', 'Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive',
    'TE: gzip', 'Trailer: X-T', 'Upgrade: h2c', 'X-Secret: 1', 'Close-Not: 2', 'X-Stays: 3', 'HTTP2-Settings: AAA']);
  for (const gone of ['keep-alive', 'proxy-connection', 'upgrade', 'x-secret', 'close-not']) assert.equal(seen[gone], undefined, gone);
  assert.equal(seen['x-stays'], '3');
  assert.ok(!/x-secret/i.test(seen.connection ?? ''));
});

scenario('hop-by-hop fields of a response end here, those named in Connection too', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    await wire.request();
    wire.write('HTTP/1.1 200 OK\r\nConnection: close, X-Internal\r\nX-Internal: 1\r\nKeep-Alive: timeout=99\r\nProxy-Connection: x\r\nX-Stays: 2\r\nContent-Length: 2\r\n\r\nok');
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const got = await wire.response();
  assert.deepEqual([got.get('x-internal'), got.get('proxy-connection'), got.get('x-stays')], [undefined, undefined, '2']);
  assert.equal(got.get('connection'), 'keep-alive');
  assert.equal(got.get('keep-alive'), 'timeout=74');
  assert.equal(got.body, 'ok');
});

scenario('end-to-end fields pass unchanged, in their order', async (s) => {
  const berth = await s.front(await s.origin(tell));
  const lines = ['Accept: */*', 'Cookie: a=1; b=2', 'Authorization: Basic x', 'X-Empty:', 'x-lower: 1', 'X-UPPER: 2', 'Range: bytes=0-1'];
  const seen = await headOf(s, berth, ['Host: a', ...lines]);
  const pairs = [];
  for (let i = 0; i < seen.raw.length; i += 2) pairs.push(`${seen.raw[i]}: ${seen.raw[i + 1]}`.trim());
  const kept = pairs.filter((pair) => lines.includes(pair));
  assert.deepEqual(kept, lines);
});

// --- Rules of a route

scenario('request_headers and response_headers: set and remove', async (s) => {
  const origin = await s.origin((request, response) => {
    response.setHeader('x-powered-by', 'Express');
    response.setHeader('server', 'node');
    response.setHeader('x-old', 'old');
    tell(request, response);
  });
  const berth = await s.front(origin, {
    routes: [{
      path: '/',
      upstream: 'app',
      request_headers: { set: { 'X-Env': 'production', 'User-Agent': 'berth' }, remove: ['Cookie', 'X-Forwarded-Host'] },
      response_headers: { set: { 'Strict-Transport-Security': 'max-age=1', 'X-Old': 'new' }, remove: ['X-Powered-By', 'Server'] },
    }],
  });
  const got = await s.request(berth, { headers: { cookie: 'a=1', 'x-env': 'forged', 'user-agent': 'me' } });
  const seen = JSON.parse(got.body);
  assert.deepEqual([seen['x-env'], seen['user-agent'], seen.cookie, seen['x-forwarded-host']], ['production', 'berth', undefined, undefined]);
  assert.deepEqual([got.headers['strict-transport-security'], got.headers['x-old'], got.headers['x-powered-by'], got.headers.server],
    ['max-age=1', 'new', undefined, undefined]);
});

scenario('response_headers hold for what Berth answers itself, over both protocols', async (s) => {
  const origin = await s.origin();
  await origin.close();
  const berth = await s.front(origin, {
    listener: { http2: { cleartext: true } },
    pool: { wait_while_down: false },
    routes: [{ path: '/', upstream: 'app', response_headers: { set: { 'X-Frame-Options': 'DENY', 'Cache-Control': 'private' }, remove: ['proxy-status'] } }],
  });
  const told = (headers) => [headers['x-frame-options'], headers['cache-control'], headers['proxy-status']];
  const one = await s.request(berth);
  assert.deepEqual([one.status, ...told(one.headers)], [502, 'DENY', 'private', undefined]);
  const session = http2.connect(berth.url);
  s.client(() => session.destroy());
  const two = await within(new Promise((resolve, reject) => {
    session.request({ ':path': '/' }).on('response', resolve).on('error', reject).resume();
  }), 'an answer');
  assert.deepEqual([two[':status'], ...told(two)], [502, 'DENY', 'private', undefined]);
});

// --- Routing

async function routed(s, routes, upstreams) {
  const servers = {};
  for (const name of upstreams) servers[name] = { servers: [(await s.origin((request, response) => response.end(name))).address] };
  const berth = await s.berth({ workers: 1, listeners: [{ address: '127.0.0.1:0' }], upstreams: servers, routes, admin: { address: '127.0.0.1:0' } });
  return async (host, path, status = 200) => {
    const wire = await s.wire(berth);
    wire.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const got = await wire.response();
    assert.equal(got.status, status, `${host}${path}: ${got.body}`);
    wire.destroy();
    return status === 200 ? got.body : got;
  };
}

scenario('by host: exact before suffix before any', async (s) => {
  const ask = await routed(s, [
    { host: '*', upstream: 'any' },
    { host: '*.example.com', upstream: 'suffix' },
    { host: '*.deep.example.com', upstream: 'deep' },
    { host: 'www.example.com', upstream: 'exact' },
  ], ['any', 'suffix', 'deep', 'exact']);
  for (const [host, upstream] of [
    ['www.example.com', 'exact'], ['WWW.Example.COM', 'exact'], ['www.example.com:8080', 'exact'],
    ['api.example.com', 'suffix'], ['a.b.example.com', 'suffix'], ['x.deep.example.com', 'deep'],
    ['example.com', 'any'], ['notexample.com', 'any'], ['example.com.evil.org', 'any'], ['[::1]:80', 'any'], ['127.0.0.1', 'any'],
  ]) assert.equal(await ask(host, '/'), upstream, host);
});

scenario('by path: the longest prefix of whole segments', async (s) => {
  const ask = await routed(s, [
    { path: '/', upstream: 'root' },
    { path: '/api', upstream: 'api' },
    { path: '/api/v2', upstream: 'v2' },
    { path: '/static/', upstream: 'files' },
  ], ['root', 'api', 'v2', 'files']);
  for (const [path, upstream] of [
    ['/', 'root'], ['/api', 'api'], ['/api/', 'api'], ['/api?x=1', 'api'], ['/api/users', 'api'], ['/apis', 'root'], ['/ap', 'root'],
    ['/api/v2', 'v2'], ['/api/v2/x', 'v2'], ['/api/v22', 'api'], ['/static/x.js', 'files'], ['/other?path=/api', 'root'],
  ]) assert.equal(await ask('a', path), upstream, path);
});

scenario('a path that normalises to another route is refused; one that does not is passed on as it is', async (s) => {
  const ask = await routed(s, [
    { path: '/', upstream: 'root' },
    { path: '/admin', upstream: 'admin' },
  ], ['root', 'admin']);
  for (const path of ['/x/../admin', '/./admin', '//admin', '/%61dmin', '/x/%2e%2e/admin', '/x\\..\\admin', '/admin/../x', '/admin%2fsecret', '/x/..%2fadmin', '/admin/%2e%2e/']) {
    const got = await ask('a', path, 400);
    assert.match(got.get('proxy-status'), /details="ambiguous_path"/, path);
  }
  for (const [path, upstream] of [['/x/../y', 'root'], ['/admin/./x', 'admin'], ['/admin/%20', 'admin'], ['/a%20b', 'root'], ['/admin/x/../y', 'admin']]) {
    assert.equal(await ask('a', path), upstream, path);
  }
});

scenario('no route: 404 with a Proxy-Status, the connection lives on, counted', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin, { routes: [{ host: 'known.example', path: '/only', upstream: 'app' }] });
  const wire = await s.wire(berth);
  for (const [host, path] of [['other.example', '/only'], ['known.example', '/']]) {
    wire.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const got = await wire.response();
    assert.equal(got.status, 404);
    assert.match(got.get('proxy-status'), /^berth; error=destination_not_found; details="no_route"$/);
    assert.match(got.get('connection'), /keep-alive/);
  }
  wire.write('GET /only HTTP/1.1\r\nHost: known.example\r\n\r\n');
  assert.equal((await wire.response()).status, 200);
  const m = await berth.metrics();
  assert.equal(m.sum('berth_client_requests_refused_total', { reason: 'no_route' }), 2);
});

scenario('errors that Berth makes: small, with the request id, without internals; to HEAD without a body', async (s) => {
  const berth = await s.front('127.0.0.1:1');
  const got = await s.request(berth);
  assert.equal(got.status, 502);
  assert.match(got.headers['content-type'], /^text\/plain/);
  assert.equal(got.headers['cache-control'], 'no-store');
  assert.ok(!got.body.includes('127.0.0.1'));
  assert.ok(got.body.length < 200);
  const wire = await s.wire(berth);
  wire.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  const head = await wire.response('HEAD');
  assert.equal(head.status, 502);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await wire.response()).status, 502);
});
