// Slow clients: most of them hold nothing that others wait for, and those that do have to keep up.
import assert from 'node:assert/strict';
import { scenario } from './lib/scenario.mjs';
import { readAll } from './lib/origin.mjs';
import { until } from './lib/wait.mjs';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

// A few bytes again and again, until the connection is closed.
function drip(s, wire, bytes) {
  const timer = setInterval(() => wire.write(bytes), 20);
  s.client(() => clearInterval(timer));
}

function refused(reason) { return (m) => m.sum('berth_client_requests_refused_total', { reason }) === 1; }
function closed(reason) { return (m) => m.sum('berth_client_connections_closed_total', { reason }) === 1; }

// --- Those that hold a connection

for (const [name, upstream] of [['that is too long to be collected', { request_buffer: '4KiB' }], ['that streams', { request_body: 'stream' }]]) {
  scenario(`min_body_rate: an upload ${name} and comes too slowly gets 408`, async (s) => {
    let broken = false;
    const origin = await s.origin(async (request) => {
      await readAll(request).catch(() => { broken = true; });
      origin.changed();
    });
    // Its first 8 KiB earn it 20 ms, and then it is far below the rate.
    const berth = await s.front(origin, {
      listener: { body_timeout: '1s', min_body_rate: '400KiB/s' }, upstream });
    const wire = await s.wire(berth);
    wire.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n`).write('x'.repeat(8192));
    drip(s, wire, 'xxxxx');
    const got = await wire.response('POST');
    assert.deepEqual([got.status, got.get('connection')], [408, 'close']);
    assert.match(got.get('proxy-status'), /details="body_too_slow"/);
    await origin.seen(() => broken, 'the request breaks off');
    await berth.measured(refused('body_too_slow'));
    const [line] = await berth.accessLines();
    assert.equal(JSON.parse(line).reason, 'body_too_slow');
  });
}

scenario('min_send_rate: a reader that holds a connection and is too slow is cut off', async (s) => {
  const origin = await s.origin((request, response) => response.end(Buffer.alloc(64 << 20)));
  // (More than the client takes in a second: who empties the buffer within send_timeout begins anew.)
  const berth = await s.front(origin, {
    memory_budget: '1GiB', listener: { send_timeout: '1s', min_send_rate: '1GiB/s' }, upstream: { response_buffer: '32MiB' } });
  const wire = await s.wire(berth);
  wire.pause();
  wire.write(GET);
  // Some bytes every now and then, far below the rate.
  const reading = setInterval(() => { wire.socket.read(30_000); }, 20);
  s.client(() => clearInterval(reading));
  await berth.measured(closed('send_too_slow'));
  await origin.seen((o) => o.open.size === 0, 'the server is let go');
});

scenario('the rates are off: slow in both directions, and served', async (s) => {
  const origin = await s.origin(async (request, response) => response.end(String((await readAll(request)).length)));
  const berth = await s.front(origin, {
    listener: { body_timeout: '3s', min_body_rate: 'off', min_send_rate: 'off' }, upstream: { request_buffer: '4KiB' } });
  const wire = await s.wire(berth);
  wire.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5050\r\n\r\n').write('x'.repeat(5000));
  for (let i = 0; i < 50; ++i) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    wire.write('x');
  }
  assert.equal((await wire.response('POST')).body, '5050');
});

scenario('server-sent events meet no rate, however little comes', async (s) => {
  let events = 0;
  const origin = await s.origin((request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const timer = setInterval(() => response.write(`data: ${++events}\n\n`), 100);
    response.on('close', () => clearInterval(timer));
  });
  const berth = await s.front(origin, {
    listener: { send_timeout: '200ms', body_timeout: '200ms', min_send_rate: '1GiB/s', min_body_rate: '1GiB/s' } });
  const wire = await s.wire(berth);
  wire.write(GET);
  await wire.upTo('data: 20\n\n');
  const m = await berth.metrics();
  assert.equal(m.sum('berth_client_connections_closed_total'), 0);
});

// --- Those that hold none

scenario('a hundred slow uploads hold none of four connections', async (s) => {
  const origin = await s.origin(async (request, response) => {
    const body = await readAll(request);
    response.end(String(body.length));
  });
  const berth = await s.front(origin, { pool: { max_connections: 4, queue_size: 0 } });
  const uploads = await Promise.all(Array.from({ length: 100 }, () => s.wire(berth)));
  for (const wire of uploads) {
    wire.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n');
    drip(s, wire, 'x');
  }
  await berth.measured((m) => m.sum('berth_client_connections', { state: 'active' }) === 100);
  assert.equal(origin.connections, 0);
  // Nobody may wait, and nobody needs to.
  for (let i = 0; i < 50; ++i) assert.equal((await s.request(berth)).status, 200);
  const m = await berth.metrics();
  assert.equal(m.sum('berth_upstream_acquisitions_total', { source: 'queue' }), 0);
  assert.equal(origin.connections, 1);
  for (const wire of uploads) wire.destroy();
});

scenario('twenty slow readers of 8 MiB hold none of four connections', async (s) => {
  // Twice what Linux takes off a writer (tcp_wmem): the rest lies in Berth, within what one address gets of the budget.
  const body = Buffer.alloc(8 << 20, 'x');
  const origin = await s.origin((request, response) => response.end(request.url === '/big' ? body : 'small'));
  const berth = await s.front(origin, {
    memory_budget: '1GiB', pool: { max_connections: 4, queue_timeout: '20s' }, upstream: { response_buffer: '16MiB' } });
  const readers = await Promise.all(Array.from({ length: 20 }, () => s.wire(berth)));
  for (const wire of readers) {
    wire.pause();
    wire.write('GET /big HTTP/1.1\r\nHost: a\r\n\r\n');
  }
  // Nobody reads, and all are answered.
  await berth.measured((m) => m.sum('berth_upstream_requests_total') === 20 && m.sum('berth_upstream_connections', { state: 'active' }) === 0,
    'every response is read ahead');
  for (let i = 0; i < 50; ++i) assert.equal((await s.request(berth, { path: '/small' })).body, 'small');
  for (const wire of readers) wire.resume();
  for (const wire of readers) assert.equal((await wire.response()).body.length, body.length);
  assert.ok(origin.mostOpen <= 4);
});

scenario('what lies in the kernel\'s buffer is not taken: a reader that reads on is not cut off', async (s) => {
  // More than the kernel takes at once, and it takes more only when a third of that is gone: seconds, at this speed.
  const origin = await s.origin((request, response) => response.end(Buffer.alloc(8 << 20)));
  const berth = await s.front(origin, { listener: { send_timeout: '2s', min_send_rate: 'off' } });
  const wire = await s.wire(berth);
  wire.pause();
  wire.write(GET);
  let taken = 0;
  // (Slower, and the reader's own kernel would acknowledge too seldom: it waits for a sixteenth of its buffer.)
  const reading = setInterval(() => { taken += wire.socket.read(8192)?.length ?? 0; }, 20);
  s.client(() => clearInterval(reading));
  await until(() => taken > 2_000_000, 'five seconds of reading');
  const m = await berth.metrics();
  assert.equal(m.sum('berth_client_connections_closed_total'), 0);
  wire.destroy();
});
