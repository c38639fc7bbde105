// Clients and servers that are slow, silent or absent.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { scenario } from './lib/scenario.mjs';
import { readAll } from './lib/origin.mjs';
import { until, within } from './lib/wait.mjs';

const silent = () => {};

// A port on which nobody listens. Its owner is told to go, so it may come back.
async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// --- Clients

scenario('half a head, then silence: 408', async (s) => {
  const berth = await s.front(await s.origin(), { listener: { header_timeout: '200ms' } });
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost:');
  const got = await wire.response();
  assert.deepEqual([got.status, got.get('connection')], [408, 'close']);
  assert.equal(await wire.finish(), 'FIN');
  const m = await berth.measured((now) => now.sum('berth_client_requests_total') === 1);
  assert.equal(m.sum('berth_client_requests_refused_total', { reason: 'header_timeout' }), 1);
});

scenario('a head that drips for longer than header_timeout: 408, however steadily', async (s) => {
  const berth = await s.front(await s.origin(), { listener: { header_timeout: '300ms' } });
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\nX: ');
  const drip = setInterval(() => wire.write('x'), 20);
  s.client(() => clearInterval(drip));
  assert.equal((await wire.response()).status, 408);
});

scenario('a connection without any request: closed in silence after keepalive_timeout', async (s) => {
  const berth = await s.front(await s.origin(), { listener: { keepalive_timeout: '200ms' } });
  const fresh = await s.wire(berth);
  const used = await s.wire(berth);
  used.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await used.response();
  for (const wire of [fresh, used]) {
    assert.equal(await wire.finish(), 'FIN');
    assert.equal(wire.available, 0);
  }
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'keepalive_timeout' }) === 2);
});

scenario('half a body, then silence: 408, and the server never sees it', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin, { listener: { body_timeout: '200ms', min_body_rate: 'off' } });
  const wire = await s.wire(berth);
  wire.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf');
  const got = await wire.response('POST');
  assert.deepEqual([got.status, got.get('connection')], [408, 'close']);
  assert.equal(await wire.finish(), 'FIN');
  assert.equal(origin.connections, 0);
});

scenario('half a body that streams already: 408, and the server sees it break off', async (s) => {
  let broken = false;
  const origin = await s.origin(async (request) => {
    await readAll(request).catch(() => { broken = true; });
    origin.changed();
  });
  const berth = await s.front(origin, { listener: { body_timeout: '300ms', min_body_rate: 'off' } });
  const wire = await s.wire(berth);
  wire.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(100_000)}`);
  assert.equal((await wire.response('POST')).status, 408);
  await origin.seen(() => broken, 'the request breaks off');
});

scenario('a client that takes nothing of its response: closed after send_timeout', async (s) => {
  const origin = await s.origin((request, response) => response.end(Buffer.alloc(64 << 20)));
  const berth = await s.front(origin, { listener: { send_timeout: '300ms', min_send_rate: 'off' } });
  const wire = await s.wire(berth);
  wire.pause();
  wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'send_timeout' }) === 1);
  await origin.seen((o) => o.open.size === 0, 'the server is let go');
});

scenario('a client that hangs up in the middle of its body', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf').end();
  await wire.finish();
  assert.equal(wire.available, 0);
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'client_aborted' }) === 1);
  assert.equal(origin.connections, 0);
});

scenario('max_connections of a listener: idle ones make room, busy ones do not', async (s) => {
  const origin = await s.origin((request, response) => { if (request.url === '/quick') response.end('ok'); });
  const berth = await s.front(origin, { workers: 1, listener: { max_connections: 2 } });
  const idle = await s.wire(berth);
  idle.write('GET /quick HTTP/1.1\r\nHost: a\r\n\r\n');
  await idle.response();
  const busy = [await s.wire(berth), await s.wire(berth)];
  assert.equal(await idle.finish(), 'FIN');
  for (const wire of busy) wire.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await origin.seen((o) => o.requests.length === 3);
  const late = await s.wire(berth);
  await late.finish();
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'evicted' }) === 1 &&
    m.sum('berth_client_connections_closed_total', { reason: 'connection_limit' }) === 1);
  for (const wire of busy) wire.reset();
});

// --- Servers that are not there

scenario('a server that refuses connections: the next one is asked', async (s) => {
  const good = await s.origin();
  const berth = await s.front([`127.0.0.1:${await freePort()}`, good], { upstream: { balance: 'round_robin' } });
  for (let i = 0; i < 20; ++i) {
    const got = await s.request(berth, { method: i % 2 === 0 ? 'GET' : 'POST', body: i % 2 === 0 ? undefined : 'x' });
    assert.equal(got.status, 200);
  }
  const m = await berth.metrics();
  const failures = m.sum('berth_upstream_connect_failures_total', { reason: 'connect_refused' });
  assert.ok(failures >= 1 && failures < 20, `${failures} attempts: it is left alone for a while`);
  // After that, connections for nobody find out whether it is back.
  assert.equal(m.sum('berth_upstream_retries_total', { reason: 'connect_failed' }), 1, 'one request met it');
});

scenario('all servers refuse: 502, with its reason', async (s) => {
  const berth = await s.front([`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]);
  const got = await s.request(berth, { body: 'x' });
  assert.equal(got.status, 502);
  assert.match(got.headers['proxy-status'], /error=connection_refused; details="connect_refused"/);
  assert.match(got.headers['x-request-id'], /^[0-9a-f]{32}$/);
  assert.ok(got.body.includes(got.headers['x-request-id']));
  const m = await berth.metrics();
  assert.equal(m.sum('berth_client_requests_refused_total', { reason: 'connect_refused' }), 1);
});

scenario('a server that comes back is used again', async (s) => {
  const port = await freePort();
  const berth = await s.front(`127.0.0.1:${port}`);
  assert.equal((await s.request(berth)).status, 502);
  await s.origin(undefined, { where: { host: '127.0.0.1', port } });
  await until(async () => (await s.request(berth)).status === 200, 'the server to be found again');
});

// Listens, and then neither accepts nor reads anything: the kernel's queue fills up, and connecting hangs.
const DEAF = `
  const server = require('net').createServer();
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
    process.stdout.write(server.address().port + '\\n', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });`;

async function deafServer(s) {
  const child = spawn(process.execPath, ['-e', DEAF], { stdio: ['ignore', 'pipe', 'inherit'] });
  s.behind({ close: () => { child.kill('SIGKILL'); } });
  const [line] = await within(once(child.stdout, 'data'), 'its port');
  const port = Number(String(line));
  // One that hangs shows that the queue is full.
  const fillers = [];
  s.client(() => fillers.forEach((socket) => socket.destroy()));
  await until(async () => {
    const socket = net.connect(port, '127.0.0.1').on('error', silent);
    fillers.push(socket);
    return Promise.race([once(socket, 'connect').then(() => false), new Promise((resolve) => setTimeout(resolve, 300, true))]);
  }, 'a full queue');
  return `127.0.0.1:${port}`;
}

scenario('connecting hangs: connect_timeout, then the next server, or 504', async (s) => {
  const deaf = await deafServer(s);
  const good = await s.origin();
  const upstream = { connect_timeout: '100ms', balance: 'round_robin' };
  const alone = await s.front(deaf, { upstream });
  const got = await s.request(alone);
  assert.equal(got.status, 504);
  assert.match(got.headers['proxy-status'], /error=connection_timeout; details="connect_timeout"/);
  const both = await s.front([deaf, good], { upstream });
  for (let i = 0; i < 4; ++i) assert.equal((await s.request(both, { body: 'x' })).status, 200);
  const m = await both.metrics();
  assert.ok(m.sum('berth_upstream_connect_failures_total', { reason: 'connect_timeout' }) >= 1);
});

scenario('a Unix socket that does not exist: 502', async (s) => {
  const berth = await s.front(`unix:${s.folder()}/none.sock`);
  assert.equal((await s.request(berth)).status, 502);
});

// --- Servers that are slow

scenario('no response within response_timeout: 504, asked once, the connection closed', async (s) => {
  const origin = await s.origin(silent);
  const berth = await s.front(origin, { upstream: { response_timeout: '200ms' } });
  for (const body of [undefined, 'x']) {
    const got = await s.request(berth, { body });
    assert.equal(got.status, 504);
    assert.match(got.headers['proxy-status'], /error=http_response_timeout; details="response_timeout"/);
  }
  assert.equal(origin.requests.length, 2);
  await origin.seen((o) => o.open.size === 0);
});

scenario('a response that stalls in its body: a broken transfer', async (s) => {
  const origin = await s.origin((request, response) => response.write('some'));
  const berth = await s.front(origin, { upstream: { idle_timeout: '200ms' } });
  await assert.rejects(s.request(berth), (error) => error.code === 'ECONNRESET' || /aborted/.test(error.message));
  await berth.measured((m) => m.sum('berth_upstream_connections_closed_total', { reason: 'response_stalled' }) === 1);
});

scenario('a server that stops reading the request: 504', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    await wire.head();
    wire.pause();
    await new Promise((resolve) => wire.socket.once('close', resolve));
  });
  const berth = await s.front(origin, { upstream: { idle_timeout: '300ms' } });
  const wire = await s.wire(berth);
  wire.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${64 << 20}\r\n\r\n`).write(Buffer.alloc(64 << 20));
  const got = await wire.response('POST');
  assert.equal(got.status, 504);
  assert.match(got.get('proxy-status'), /request_stalled/);
});

scenario('a slow response that keeps moving is not timed out', async (s) => {
  const origin = await s.origin((request, response) => {
    let count = 0;
    const tick = setInterval(() => {
      response.write('.');
      if (++count === 20) {
        clearInterval(tick);
        response.end();
      }
    }, 50);
  });
  // Far above the pauses, below the whole.
  const berth = await s.front(origin, { upstream: { idle_timeout: '900ms', response_timeout: '900ms' } });
  assert.equal((await s.request(berth)).body, '.'.repeat(20));
});

scenario('the retry budget: a server that dies under many requests is not asked three times by each', async (s) => {
  let seen = 0;
  const origin = await s.wireOrigin(async (wire) => {
    await wire.request();
    ++seen;
    await origin.seen(() => seen >= 40 || released);
    released = true;
    wire.destroy();
  });
  let released = false;
  const berth = await s.front(origin, { workers: 1, upstream: { retry: { attempts: 3, budget_percent: 10, budget_min: 1 } } });
  const got = await Promise.all(Array.from({ length: 40 }, () => s.request(berth, { agent: false })));
  assert.ok(got.every((one) => one.status === 502));
  const m = await berth.metrics();
  assert.ok(m.sum('berth_upstream_retry_budget_exhausted_total') > 0);
  assert.ok(seen < 80, `${seen} requests arrived for 40`);
});
