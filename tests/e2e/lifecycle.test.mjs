// Stopping, and signals.
import assert from 'node:assert/strict';
import path from 'node:path';
import { config, scenario } from './lib/scenario.mjs';
import { until, within } from './lib/wait.mjs';
import { Wire } from './lib/wire.mjs';

async function hold(s) {
  const waiting = [];
  const origin = await s.origin((request, response) => waiting.push(response));
  return Object.assign(origin, { waiting });
}

async function ask(s, berth, path = '/') {
  const wire = await s.wire(berth);
  wire.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  return wire;
}

// Each worker closes its own listening socket: not all at the same moment.
function refusedSoon(address) {
  return until(() => Wire.connect(address).then((wire) => wire.destroy(), (error) => error.code === 'ECONNREFUSED'), 'new connections to be refused');
}

// Under ASan: the loop turns once more when the workers are gone, and finds the command.
scenario('a command to the admin port that comes with the last signal', async (s) => {
  const origin = await hold(s);
  const berth = await s.front(origin);
  berth.kill('SIGSTOP');
  const { host, port } = berth.adminAddress;
  const admin = await Wire.connect(berth.adminAddress);
  admin.write(`POST /drain?server=${origin.address} HTTP/1.1\r\nHost: ${host}:${port}\r\nContent-Length: 0\r\n\r\n`);
  berth.kill('SIGTERM');
  berth.kill('SIGINT');
  berth.kill('SIGCONT');
  assert.deepEqual(await within(berth.exited, 'exit'), { code: 0, signal: null });
  admin.destroy();
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  scenario(`${signal}: requests under way are completed, new connections refused, idle ones closed, exit 0`, async (s) => {
    const origin = await hold(s);
    const berth = await s.front(origin);
    const idle = await ask(s, berth);
    await origin.seen((o) => o.waiting.length === 1);
    origin.waiting.pop().end('ok');
    await idle.response();
    const busy = await ask(s, berth);
    await origin.seen((o) => o.waiting.length === 1);
    berth.kill(signal);
    assert.equal(await idle.finish(), 'FIN');
    await berth.logged(/draining/);
    await refusedSoon(berth.address);
    assert.equal((await berth.page('/readyz')).status, 503);
    assert.equal((await berth.page('/healthz')).status, 200);
    assert.equal((await berth.status()).state, 'draining');
    origin.waiting.pop().end('completed');
    const got = await busy.response();
    assert.deepEqual([got.body, got.get('connection')], ['completed', 'close']);
    assert.deepEqual(await within(berth.exited, 'exit'), { code: 0, signal: null });
    await origin.seen((o) => o.open.size === 0, 'nothing is left open');
  });
}

scenario('SIGINT with nothing to do: out at once, whatever shutdown.delay', async (s) => {
  const berth = await s.front(await s.origin(), { shutdown: { delay: '1h' } });
  berth.kill('SIGINT');
  assert.deepEqual(await within(berth.exited, 'exit'), { code: 0, signal: null });
});

scenario('SIGTERM: for shutdown.delay everybody is served, and told to go; /readyz says 503 from its beginning', async (s) => {
  const origin = await s.origin((request, response) => response.end('ok'));
  const berth = await s.front(origin, { shutdown: { delay: '1h' } });
  const idle = await s.wire(berth), other = await s.wire(berth);
  for (const wire of [idle, other]) {
    wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.notEqual((await wire.response()).get('connection'), 'close');
  }
  berth.kill('SIGTERM');
  await berth.logged(/still served for 3600 s/);
  assert.equal((await berth.page('/readyz')).status, 503);
  const fresh = await s.wire(berth);
  for (const wire of [idle, fresh]) {
    wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const got = await wire.response();
    assert.deepEqual([got.status, got.body, got.get('connection')], [200, 'ok', 'close']);
    assert.equal(await wire.finish(), 'FIN');
  }
  assert.equal(other.ended, false, 'what is idle stays open');
  berth.kill('SIGINT');
  assert.deepEqual(await within(berth.exited, 'exit'), { code: 0, signal: null });
});

scenario('SIGTERM: those who wait in the queue are still served', async (s) => {
  const origin = await hold(s);
  const berth = await s.front(origin, { pool: { max_connections: 1, queue_timeout: '30s' } });
  const first = await ask(s, berth, '/1');
  await origin.seen((o) => o.waiting.length === 1);
  const second = await ask(s, berth, '/2');
  await berth.measured((m) => m.sum('berth_upstream_queue_length') === 1);
  berth.kill('SIGTERM');
  await berth.logged(/draining/);
  origin.waiting.pop().end('1');
  assert.equal((await first.response()).body, '1');
  await origin.seen((o) => o.waiting.length === 1);
  origin.waiting.pop().end('2');
  assert.equal((await second.response()).body, '2');
  assert.equal((await within(berth.exited, 'exit')).code, 0);
});

scenario('SIGTERM in the middle of an upload and a download: both are completed', async (s) => {
  const big = Buffer.alloc(8 << 20, 'x');
  const origin = await s.origin(async (request, response) => {
    if (request.method === 'GET') return response.end(big);
    let size = 0;
    for await (const piece of request) size += piece.length;
    response.end(String(size));
  });
  const berth = await s.front(origin);
  const down = await ask(s, berth);
  down.pause();
  const up = await s.wire(berth);
  up.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${big.length}\r\n\r\n`).write(big.subarray(0, 1 << 20));
  await origin.seen((o) => o.requests.length === 2);
  berth.kill('SIGTERM');
  await berth.logged(/draining/);
  down.resume();
  up.write(big.subarray(1 << 20));
  assert.equal((await up.response('POST')).body, String(big.length));
  assert.equal((await down.response()).body.length, big.length);
  assert.equal((await within(berth.exited, 'exit')).code, 0);
});

scenario('a second SIGTERM stops at once', async (s) => {
  const origin = await hold(s);
  const berth = await s.front(origin, { shutdown: { grace: '1h' } });
  const busy = await ask(s, berth);
  await origin.seen((o) => o.waiting.length === 1);
  berth.kill('SIGTERM');
  await berth.logged(/draining/);
  berth.kill('SIGTERM');
  assert.equal((await within(berth.exited, 'exit')).code, 0);
  await busy.finish();
  assert.equal(busy.available, 0);
});

scenario('shutdown.grace ends what does not end by itself', async (s) => {
  const origin = await hold(s);
  const berth = await s.front(origin, { shutdown: { grace: '200ms' } });
  const busy = await ask(s, berth);
  await origin.seen((o) => o.waiting.length === 1);
  const began = Date.now();
  berth.kill('SIGTERM');
  assert.equal((await within(berth.exited, 'exit')).code, 0);
  assert.ok(Date.now() - began >= 195);
  assert.match(berth.log, /grace is over/);
  await busy.finish();
});

scenario('SIGHUP while draining changes nothing', async (s) => {
  const origin = await hold(s);
  const berth = await s.front(origin);
  const busy = await ask(s, berth);
  await origin.seen((o) => o.waiting.length === 1);
  berth.kill('SIGTERM');
  await berth.logged(/draining/);
  berth.kill('SIGHUP');
  assert.equal((await berth.status()).generation, 1);
  origin.waiting.pop().end('ok');
  assert.equal((await busy.response()).body, 'ok');
  assert.equal((await within(berth.exited, 'exit')).code, 0);
});

// --- The access log

scenario('a hundred reloads and reopens while it runs leak no file descriptor', async (s) => {
  const folder = s.folder();
  const origin = await s.origin();
  const settings = (n) => config(origin, { access_log: { path: path.join(folder, `${n % 2}.log`) }, pool: { queue_size: 100 + n } });
  const berth = await s.berth(settings(0));
  const { readdirSync } = await import('node:fs');
  const files = () => readdirSync(`/proc/${berth.pid}/fd`).length;
  await berth.reload(settings(1));
  await s.request(berth);
  const before = files();
  for (let n = 2; n < 50; ++n) {
    await berth.reload(settings(n));
    berth.kill('SIGUSR1');
  }
  await until(() => files() <= before + 2, () => `${files()} open files, ${before} before`);
});
