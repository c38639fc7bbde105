// TLS between Berth and the app servers, and what servers are told by the PROXY protocol.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import tls from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { Authority } from './lib/certificates.mjs';
import { HttpsOrigin, WireOrigin, readAll } from './lib/origin.mjs';
import { config, scenario } from './lib/scenario.mjs';
import { until, within } from './lib/wait.mjs';

async function secureOrigin(s, pair, handler = (request, response) => response.end('ok'), options = {}) {
  const origin = await new HttpsOrigin(handler, { ...pair, ...options }).listen({ host: '127.0.0.1', port: 0 });
  s.behind(origin);
  return origin;
}

function upstream(origin, tlsSettings, more = {}) {
  return config(origin, { ...more, upstream: { tls: tlsSettings, ...more.upstream } });
}

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  scenario(`${version} to the server: bodies both ways on one warm connection`, async (s) => {
    const authority = new Authority(s.folder());
    const origin = await secureOrigin(s, authority.issue('127.0.0.1'), async (request, response) => {
      const body = await readAll(request);
      response.end(`${request.socket.getProtocol()} ${request.headers['x-forwarded-proto']} ${body}`);
    }, { minVersion: version, maxVersion: version });
    const berth = await s.berth(upstream(origin, { ca: authority.file }, { workers: 1 }));
    for (const size of [0, 1, 1000, 16384, 100_000, 1_000_000]) {
      const got = await s.request(berth, { method: 'POST', body: 'y'.repeat(size) });
      assert.equal(got.status, 200);
      assert.equal(got.body, `${version} http ${'y'.repeat(size)}`);
    }
    assert.equal(origin.connections, 1);
    const m = await berth.metrics();
    assert.equal(m.sum('berth_upstream_tls_handshakes_total'), 1);
    assert.equal(m.sum('berth_upstream_connections_closed_total'), 0, 'tickets are no bytes of a response');
  });

  scenario(`${version} to the server: sessions are resumed`, async (s) => {
    const authority = new Authority(s.folder());
    const origin = await secureOrigin(s, authority.issue('127.0.0.1'), undefined, { minVersion: version, maxVersion: version });
    const berth = await s.berth(upstream(origin, { ca: authority.file }, { workers: 2, pool: { keepalive_requests: 1 } }));
    for (let i = 0; i < 6; ++i) assert.equal((await s.request(berth, { agent: false })).status, 200);
    await berth.measured((m) => m.sum('berth_upstream_tls_handshakes_total', { resumed: 'true' }) === 5);
    assert.deepEqual(origin.handshakes, { full: 1, resumed: 5 });
  });
}

scenario('who the server is: authority, name and address are checked, and a wrong one is 502', async (s) => {
  const authority = new Authority(s.folder());
  const strangers = new Authority(s.folder(), 'Strangers');
  const names = [];
  const pair = authority.issue('app.test');
  const origin = await secureOrigin(s, pair, (request, response) => {
    names.push(request.socket.servername);
    response.end('ok');
  });
  const byIp = await secureOrigin(s, authority.issue('127.0.0.1'));
  const settings = upstream(origin, { ca: authority.file, server_name: 'app.test' });
  const other = (name, origin_, tlsSettings) => {
    settings.upstreams[name] = { servers: [origin_.address], tls: tlsSettings };
  };
  other('strangers', origin, { ca: strangers.file, server_name: 'app.test' });
  other('system', origin, { server_name: 'app.test' });
  other('name', origin, { ca: authority.file, server_name: 'other.test' });
  other('ip', byIp, { ca: authority.file });
  other('noip', origin, { ca: authority.file });
  other('unverified', origin, { verify: false });
  settings.routes = ['app', 'strangers', 'system', 'name', 'ip', 'noip', 'unverified'].map((name) => ({ path: `/${name}`, upstream: name }));
  const berth = await s.berth(settings);
  const status = async (name) => (await s.request(berth, { path: `/${name}` })).status;
  assert.equal(await status('app'), 200);
  assert.deepEqual(names, ['app.test']);
  for (const wrong of ['strangers', 'system', 'name', 'noip']) assert.equal(await status(wrong), 502, wrong);
  assert.equal(await status('ip'), 200);
  assert.equal(await status('unverified'), 200);
  const m = await berth.metrics();
  const reasons = { strangers: 'chain', system: 'chain', name: 'name', noip: 'name' };
  for (const [wrong, reason] of Object.entries(reasons)) {
    assert.ok(m.sum('berth_upstream_connect_failures_total', { upstream: wrong, reason: `server_certificate_${reason}` }) > 0, wrong);
  }
  await berth.logged(/warn server: name\/\S+ fails: the app server's certificate is for another name: .*asked for: other\.test; tls\.server_name/);
  assert.equal(m.sum('berth_upstream_connect_failures_total', { upstream: 'app' }), 0);
});

scenario('a server that speaks no TLS, hangs up, or says nothing', async (s) => {
  const authority = new Authority(s.folder());
  const plain = await s.origin();
  const silent = await s.wireOrigin(async (wire) => { await wire.finish(); });
  const gone = await s.wireOrigin(async (wire) => { await wire.bytes(1); wire.destroy(); });
  const settings = upstream(plain, { ca: authority.file });
  settings.upstreams.silent = { servers: [silent.address], tls: { ca: authority.file }, connect_timeout: '200ms', retry: { attempts: 1 } };
  settings.upstreams.gone = { servers: [gone.address], tls: { ca: authority.file } };
  settings.routes = [{ path: '/app', upstream: 'app' }, { path: '/silent', upstream: 'silent' }, { path: '/gone', upstream: 'gone' }];
  const berth = await s.berth(settings);
  assert.equal((await s.request(berth, { path: '/app' })).status, 502);
  assert.equal((await s.request(berth, { path: '/silent' })).status, 504);
  assert.equal((await s.request(berth, { path: '/gone' })).status, 502);
  const m = await berth.metrics();
  assert.ok(m.sum('berth_upstream_connect_failures_total', { upstream: 'app', reason: 'server_tls_failed' }) > 0);
  assert.ok(m.sum('berth_upstream_connect_failures_total', { upstream: 'silent', reason: 'connect_timeout' }) > 0);
  assert.ok(m.sum('berth_upstream_connect_failures_total', { upstream: 'gone', reason: 'server_tls_failed' }) > 0);
});

scenario('a client certificate for the server', async (s) => {
  const authority = new Authority(s.folder());
  const berthPair = authority.issue('berth');
  const origin = await secureOrigin(s, authority.issue('127.0.0.1'), (request, response) => response.end(request.socket.getPeerCertificate().subject?.CN ?? 'nobody'),
    { requestCert: true, rejectUnauthorized: true, ca: authority.pem });
  const settings = upstream(origin, { ca: authority.file, certificate: berthPair.files.certificate, key: berthPair.files.key });
  settings.upstreams.without = { servers: [origin.address], tls: { ca: authority.file } };
  settings.routes = [{ path: '/', upstream: 'app' }, { path: '/without', upstream: 'without' }];
  const berth = await s.berth(settings);
  assert.equal((await s.request(berth)).body, 'berth');
  const without = await s.request(berth, { path: '/without' });
  assert.equal(without.status, 502);
  assert.match(without.headers['proxy-status'], /server_wants_certificate/);
  await berth.logged(/warn server: without\/\S+ fails: the app server does not accept our client certificate, or wants one: .*tls\.certificate and tls\.key/);
  assert.equal((await berth.metrics()).sum('berth_upstream_retries_total', { upstream: 'without' }), 0);
});

scenario('Node closes idle TLS connections: no request fails, the limit is learned', async (s) => {
  const authority = new Authority(s.folder());
  const origin = await secureOrigin(s, authority.issue('127.0.0.1'), async (request, response) => {
    response.end(await readAll(request));
  });
  origin.server.keepAliveTimeout = 1000;
  origin.server.keepAliveTimeoutBuffer = 0;
  const berth = await s.berth(upstream(origin, { ca: authority.file }, { workers: 1 }));
  // Around the limit that Berth keeps, and around Node's own.
  for (let i = 0; i < 12; ++i) {
    const got = await s.request(berth, { method: 'POST', body: `n${i}` });
    assert.deepEqual([got.status, got.body], [200, `n${i}`]);
    await new Promise((resolve) => setTimeout(resolve, [480, 500, 520, 990, 1000, 1010][i % 6]));
  }
  const learned = await berth.metrics();
  assert.equal(learned.sum('berth_upstream_learned_keepalive_seconds', { source: 'hint' }), 0.5);
  await berth.measured((m) => m.sum('berth_upstream_connections_closed_total', { reason: 'learned_limit' }) >= 4, 'closed in time');
  // Without a hint, or with the server gone: the end of an idle connection is seen.
  for (const socket of origin.open) socket.destroy();
  await berth.measured((m) => m.sum('berth_upstream_connections', { state: 'idle' }) === 0);
  assert.equal((await s.request(berth)).status, 200);
});

scenario('a response that ends by closing is complete only if TLS says so', async (s) => {
  const authority = new Authority(s.folder());
  const pair = authority.issue('127.0.0.1');
  const server = tls.createServer({ ...pair }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes) => {
      const cut = /\/cut/.test(bytes);
      socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody', () => {
        if (cut) socket._handle.close();  // FIN without close_notify
        else socket.end();
      });
    });
  });
  const origin = await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve({ address: `127.0.0.1:${server.address().port}` })));
  s.client(() => server.close());
  const berth = await s.berth(upstream(origin, { ca: authority.file }));
  assert.equal((await s.request(berth, { path: '/whole' })).body, 'body');
  await assert.rejects(s.request(berth, { path: '/cut' }), /aborted|ECONNRESET|hang up/);
});

scenario('a reload that changes the TLS settings never mixes connections; one that does not keeps them', async (s) => {
  const authority = new Authority(s.folder());
  const origin = await secureOrigin(s, authority.issue(['127.0.0.1', 'app.test']));
  const berth = await s.berth(upstream(origin, { ca: authority.file }, { workers: 1 }));
  await s.request(berth);
  await berth.reload();
  await s.request(berth);
  assert.equal(origin.connections, 1);
  await berth.reload(upstream(origin, { ca: authority.file, server_name: 'app.test' }, { workers: 1 }));
  await s.request(berth);
  assert.equal(origin.connections, 2);
  // The same settings, another file behind them.
  const bundle = `${authority.file}.bundle`;
  writeFileSync(bundle, authority.pem);
  assert.match(await berth.reload(upstream(origin, { ca: bundle, server_name: 'app.test' }, { workers: 1 })), /^servers: 1 changed/);
  await s.request(berth);
  assert.equal(origin.connections, 2, 'the same contents');
  const replaced = (await berth.metrics()).sum('berth_reload_pools_total', { action: 'replaced' });
  assert.equal(replaced, 1);
  const from = berth.logEnd();
  writeFileSync(bundle, authority.pem + new Authority(s.folder(), 'More').pem);
  const name = `app/${origin.address}`;
  assert.equal(await berth.reload(), `servers: 1 replaced (${name}); listeners: 1 kept; upstreams: 1 kept; certificates: 1 changed (${bundle}); routes unchanged`);
  await berth.logged(new RegExp(`info reload: certificate ${bundle} has changed\n`), from);
  assert.equal((await berth.metrics()).sum('berth_reload_pools_total', { action: 'replaced' }), replaced + 1);
  assert.deepEqual((await berth.status()).last_reload.servers.replaced, [name]);
  await s.request(berth);
  assert.equal(origin.connections, 3);
  await until(async () => origin.open.size === 1, 'old connections to close');
});

for (const workers of [1, 3]) {
  scenario(`a reload that changes the TLS settings keeps the bound while old connections drain: ${workers} workers`, async (s) => {
    const authority = new Authority(s.folder());
    const held = [];
    let most = 0;
    const origin = await secureOrigin(s, authority.issue(['127.0.0.1', 'app.test']), (request, response) => {
      most = Math.max(most, origin.open.size);
      if (request.url === '/held') held.push(response);
      else response.end('ok');
    });
    const settings = (tlsSettings) => upstream(origin, tlsSettings, { workers, pool: { max_connections: 2, queue_timeout: '60s' } });
    const berth = await s.berth(settings({ ca: authority.file }));
    const old = [s.request(berth, { path: '/held', agent: false }), s.request(berth, { path: '/held', agent: false })];
    await until(() => held.length === 2, 'two requests under way');
    await berth.reload(settings({ ca: authority.file, server_name: 'app.test' }));
    const waiting = Array.from({ length: 4 }, () => s.request(berth, { agent: false }));
    await berth.measured((m) => m.sum('berth_upstream_queue_length') === 4, 'four wait');
    assert.equal(origin.connections, 2);
    held.shift().end('old');
    await berth.measured((m) => m.sum('berth_upstream_queue_length') === 0, 'they are served by what one old connection made room for');
    for (const response of await Promise.all(waiting)) assert.equal(response.body, 'ok');
    held.shift().end('old');
    for (const response of await Promise.all(old)) assert.equal(response.body, 'old');
    assert.equal(most, 2);
  });
}

scenario('health is checked over TLS, with the settings of the upstream', async (s) => {
  const authority = new Authority(s.folder());
  const checked = [];
  const origin = await secureOrigin(s, authority.issue('127.0.0.1'), (request, response) => {
    if (request.url === '/healthz') checked.push(request.socket.getProtocol());
    response.end('ok');
  });
  const health = { path: '/healthz', interval: '100ms', healthy_after: 1, unhealthy_after: 2 };
  const settings = (ca) => upstream(origin, { ca }, { upstream: { health } });
  const berth = await s.berth(settings(authority.file));
  await until(() => checked.length >= 2, 'checks');
  assert.deepEqual([...new Set(checked)], ['TLSv1.3']);
  await berth.measured((m) => m.sum('berth_upstream_health_checks_total', { result: 'passed' }) >= 2, 'passed');
  // Whom the upstream does not trust is not healthy either.
  const strangers = new Authority(s.folder(), 'Strangers');
  await berth.reload(settings(strangers.file));
  await berth.logged(/warn health: app\/\S+ is unhealthy: .*certificate/);
  const before = checked.length;
  await berth.measured((m) => m.sum('berth_upstream_health_checks_total', { result: 'failed' }) >= 4, 'failed');
  assert.equal(checked.length, before, 'no request goes to a stranger');
  await berth.reload(settings(authority.file));
  await until(() => checked.length > before, 'checks again');
  assert.equal((await s.request(berth)).status, 200);
});

scenario('connections over TLS go from worker to worker', async (s) => {
  const authority = new Authority(s.folder());
  const origin = await secureOrigin(s, authority.issue('127.0.0.1'), async (request, response) => {
    const body = await readAll(request);
    setTimeout(() => response.end(body), 1);
  });
  const berth = await s.berth(upstream(origin, { ca: authority.file }, { workers: 4, pool: { max_connections: 1, queue_timeout: '30s' } }));
  await Promise.all(Array.from({ length: 60 }, async (_, i) => {
    const got = await s.request(berth, { method: 'POST', body: `${i}`, agent: false });
    assert.deepEqual([got.status, got.body], [200, `${i}`]);
  }));
  assert.ok(origin.connections <= 2, `${origin.connections} connections`);
});

scenario('WebSocket to a TLS server', async (s) => {
  const authority = new Authority(s.folder());
  const origin = await secureOrigin(s, authority.issue('127.0.0.1'));
  const sockets = new WebSocketServer({ server: origin.server });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  const berth = await s.berth(upstream(origin, { ca: authority.file }));
  const socket = new WebSocket(berth.url.replace('http', 'ws'));
  s.client(() => socket.terminate());
  await within(new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject)), 'WebSocket');
  for (const size of [1, 70_000, 1_000_000]) {
    const echo = new Promise((resolve) => socket.once('message', resolve));
    socket.send(Buffer.alloc(size, 'w'));
    assert.equal((await within(echo, 'the echo')).length, size);
  }
});
