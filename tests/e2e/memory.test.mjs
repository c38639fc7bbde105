// Clients that take nothing hold no more than their share of memory, and nobody else notices.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { readFileSync } from 'node:fs';
import { scenario, target } from './lib/scenario.mjs';

const MIB = 1 << 20;
const GET = 'GET /big HTTP/1.1\r\nHost: a\r\n\r\n';

// What the process has, in bytes: resident now.
function resident(berth) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${berth.pid}/status`, 'utf8'))[1]) * 1024;
}

// An app with a small answer and one of `size`.
function app(s, size) {
  const big = Buffer.alloc(size, 'x');
  return s.origin((request, response) => response.end(request.url === '/big' ? big : 'small'));
}

// Small requests, one after the other, each answered.
async function others(s, berth, count) {
  for (let i = 0; i < count; ++i) {
    const got = await s.request(berth, { path: '/small' });
    assert.deepEqual([got.status, got.body], [200, 'small']);
  }
}

async function h2(s, berth, settings) {
  const { host, port } = target(berth);
  const session = http2.connect(`http://${host}:${port}`, { settings });
  session.on('error', () => {});
  s.client(() => session.destroy());
  await new Promise((resolve) => { session.once('remoteSettings', resolve); });
  return session;
}

// Asks for 100 large responses and reads none; resolves when each is over or under way. By status.
async function hoard(session) {
  const seen = {};
  await Promise.all(Array.from({ length: 100 }, () => new Promise((resolve) => {
    const stream = session.request({ ':path': '/big' });
    stream.on('response', (head) => {
      seen[head[':status']] = (seen[head[':status']] ?? 0) + 1;
      resolve();
    });
    stream.on('error', resolve);
    stream.pause();
  })));
  return seen;
}

for (const window of [0, 100]) {
  scenario(`100 responses of 240 KiB for an HTTP/2 connection with windows of ${window}: others are served`, async (s) => {
    const origin = await app(s, 240 * 1024);
    const berth = await s.front(origin, { memory_budget: '16MiB', pool: { max_connections: 16 }, listener: { http2: { cleartext: true } } });
    await others(s, berth, 200);
    const base = resident(berth);
    const seen = await hoard(await h2(s, berth, { initialWindowSize: window }));
    assert.ok(seen[503] > 0, `refused: ${JSON.stringify(seen)}`);
    await others(s, berth, 200);
    const metrics = await berth.metrics();
    assert.ok(metrics.sum('berth_memory_buffered_bytes') < 4 * MIB, `${metrics.sum('berth_memory_buffered_bytes')} in buffers`);
    assert.equal(metrics.sum('berth_memory_budget_bytes'), 16 * MIB);
    assert.ok(metrics.sum('berth_memory_short_total') > 0);
    assert.ok(resident(berth) - base < 12 * MIB, `${(resident(berth) - base) / MIB} MiB more`);
  });
}

scenario('ten such connections stay within what one address gets', async (s) => {
  const origin = await app(s, 240 * 1024);
  const berth = await s.front(origin, {
    memory_budget: '16MiB', pool: { max_connections: 16, queue_timeout: '20s' }, listener: { http2: { cleartext: true } } });
  const base = resident(berth);
  for (let i = 0; i < 10; ++i) await hoard(await h2(s, berth, { initialWindowSize: 0 }));
  await others(s, berth, 50);
  const metrics = await berth.metrics();
  // A quarter, and what the two workers have not told each other.
  assert.ok(metrics.sum('berth_memory_buffered_bytes') < 6 * MIB, `${metrics.sum('berth_memory_buffered_bytes')} in buffers`);
  assert.ok(resident(berth) - base < 24 * MIB, `${(resident(berth) - base) / MIB} MiB more`);
});

scenario('heads that are not complete count, and the rest of the world is served', async (s) => {
  const origin = await app(s, 1);
  const berth = await s.front(origin, { memory_budget: '4MiB' });
  const wires = [];
  for (let i = 0; i < 200; ++i) {
    const wire = await s.wire(berth);
    wires.push(wire.write(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(30_000)}`));
  }
  await berth.measured((m) => m.sum('berth_client_requests_refused_total', { reason: 'memory_short' }) > 0);
  const metrics = await berth.measured((m) => m.sum('berth_memory_buffered_bytes') < 3 * MIB);
  assert.ok(metrics === undefined || metrics.sum('berth_memory_short_total') > 0);
  await others(s, berth, 50);
  await berth.accessed((line) => line.reason === 'memory_short');
  await berth.logged(/warn memory: .* used up: \d+ requests or connections were ended, the last of 127\.0\.0\.1/);
});

scenario('HTTP/1 clients of one address that do not read lose, the slowest first', async (s) => {
  const origin = await app(s, 24 * MIB);
  const berth = await s.front(origin, {
    memory_budget: '16MiB', upstream: { response_buffer: '32MiB' }, pool: { max_connections: 100 } });
  const base = resident(berth);
  for (let i = 0; i < 30; ++i) {
    const wire = await s.wire(berth);
    wire.pause();
    wire.write(GET);
  }
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'memory_short' }) > 0);
  await others(s, berth, 50);
  assert.ok(resident(berth) - base < 32 * MIB, `${(resident(berth) - base) / MIB} MiB more`);
});

scenario('a client that reads slowly but steadily is held back, and gets all of a large response', async (s) => {
  const origin = await app(s, 24 * MIB);
  const berth = await s.front(origin, { memory_budget: '1MiB', upstream: { response_buffer: '32MiB' } });
  const got = await s.request(berth, { path: '/big' });
  assert.equal(got.body.length, 24 * MIB);
});
