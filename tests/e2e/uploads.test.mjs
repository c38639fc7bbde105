// Uploads that are long or slow: what they hold, where they wait, and what happens when that place is full.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readlinkSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runBerth } from './lib/berth.mjs';
import { readAll } from './lib/origin.mjs';
import { config, scenario } from './lib/scenario.mjs';
import { until } from './lib/wait.mjs';

const POST = 'POST / HTTP/1.1\r\nHost: a\r\n';
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

function digest(text) { return createHash('sha256').update(text, 'latin1').digest('hex'); }
// Answers with the digest of what it was sent, if all of it comes.
async function digesting(request, response) {
  const body = await readAll(request).catch(() => undefined);
  if (body !== undefined) response.end(digest(body));
}

// No two kilobytes are the same.
function noise(size) {
  let text = '';
  for (let i = 0; text.length < size; ++i) text += digest(String(i));
  return text.slice(0, size);
}

// Files without a name that Berth has open.
function files(berth) {
  return readdirSync(`/proc/${berth.pid}/fd`).filter((fd) => {
    try {
      return / \(deleted\)$/.test(readlinkSync(`/proc/${berth.pid}/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}

// Begins an upload slowly enough to be received first: its first byte, and a second later the rest of `first` (less than
// 1 MiB).
async function trickle(s, berth, length, first) {
  const wire = await s.wire(berth);
  wire.write(`${POST}Content-Length: ${length}\r\n\r\n`).write(first.slice(0, 1));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  wire.write(first.slice(1));
  return wire;
}

// --- What uploads hold

for (const [name, drip] of [['stall', ''], ['trickle', 'x'.repeat(13)]]) {
  scenario(`sixteen uploads of 66 KB that ${name} leave half of sixteen connections to others`, async (s) => {
    const origin = await s.origin(digesting);
    const berth = await s.front(origin, { pool: { max_connections: 16, queue_size: 0 } });
    for (let i = 0; i < 16; ++i) {
      const wire = await s.wire(berth);
      wire.write(`${POST}Content-Length: 1000000\r\n\r\n${'x'.repeat(66_000)}`);
      if (drip === '') continue;
      const timer = setInterval(() => wire.write(drip), 50);
      s.client(() => clearInterval(timer));
    }
    // Those that look fast when they begin may stream: half of the connections are for them.
    const m = await berth.measured((now) => now.sum('berth_client_connections', { state: 'active' }) === 16 &&
      now.sum('berth_spool_files') + now.sum('berth_upstream_connections', { state: 'active' }) === 16, 'all have begun');
    assert.ok(m.sum('berth_spool_files') >= 8);
    for (let i = 0; i < 50; ++i) assert.equal((await s.request(berth)).status, 200);
    assert.ok(origin.requests.filter((request) => request.method === 'POST').length <= 8);
    assert.ok(origin.mostOpen <= 16);
  });
}

scenario('sixteen who say Expect and send nothing more hold nothing', async (s) => {
  const origin = await s.origin(digesting);
  const berth = await s.front(origin, { pool: { max_connections: 16, queue_size: 0 } });
  const wires = [];
  for (let i = 0; i < 16; ++i) {
    wires.push(await s.wire(berth));
    wires[i].write(`${POST}Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n`);
    assert.equal((await wires[i].head()).line, 'HTTP/1.1 100 Continue');
  }
  for (let i = 0; i < 50; ++i) assert.equal((await s.request(berth)).status, 200);
  assert.ok(origin.requests.every((request) => request.method === 'GET'));
  const body = noise(100_000);
  for (const wire of wires) assert.equal((await wire.write(body).response('POST')).body, digest(body));
});

scenario('sixty uploads at 20 KB/s before eight connections: nobody notices', { timeout: 120_000 }, async (s) => {
  const origin = await s.origin(digesting);
  const berth = await s.front(origin, { pool: { max_connections: 8 } });
  const size = 100_000, piece = noise(1000);
  const whole = digest(piece.repeat(size / 1000));
  const uploads = await Promise.all(Array.from({ length: 60 }, () => s.wire(berth)));
  for (const wire of uploads) wire.write(`${POST}Content-Length: ${size}\r\n\r\n`);
  let sent = 0;
  const done = new Promise((resolve) => {
    const timer = setInterval(() => {
      for (const wire of uploads) wire.write(piece);
      sent += piece.length;
      if (sent < size) return;
      clearInterval(timer);
      resolve();
    }, 50);
  });
  let requests = 0;
  while (sent < size) {
    assert.equal((await s.request(berth)).status, 200);
    ++requests;
  }
  await done;
  for (const wire of uploads) assert.equal((await wire.response('POST')).body, whole);
  assert.ok(requests > 60, `${requests} others meanwhile`);
  assert.ok(origin.mostOpen <= 8);
  const m = await berth.metrics();
  assert.equal(m.sum('berth_spool_files'), 0);
  assert.ok(m.sum('berth_spool_written_bytes_total') > 60 * 64_000);
  assert.equal(m.sum('berth_upstream_queue_rejected_total'), 0);
});

scenario('a long upload that comes fast streams, and needs no file', async (s) => {
  const origin = await s.origin(digesting);
  const berth = await s.front(origin);
  const body = noise(3_000_000);
  const wire = await s.wire(berth);
  wire.write(`${POST}Content-Length: ${body.length}\r\n\r\n${body}`);
  assert.equal((await wire.response('POST')).body, digest(body));
  assert.equal((await berth.metrics()).sum('berth_spool_written_bytes_total'), 0);
});

// --- In files

for (const protocol of ['length', 'chunked']) {
  scenario(`request_body: spool: the server is asked when all is here, whatever the size (${protocol})`, async (s) => {
    const origin = await s.origin(digesting);
    const berth = await s.front(origin, { upstream: { request_body: 'spool' } });
    for (const size of [65_535, 65_536, 65_537, 131_072, 1_000_000]) {
      const body = noise(size), asked = origin.requests.length;
      const wire = await s.wire(berth);
      const half = size >> 1;
      const part = (text) => (protocol === 'length' ? text : `${text.length.toString(16)}\r\n${text}\r\n`);
      wire.write(POST + (protocol === 'length' ? `Content-Length: ${size}\r\n\r\n` : 'Transfer-Encoding: chunked\r\n\r\n'));
      wire.write(part(body.slice(0, half)));
      await berth.measured((m) => m.sum('berth_client_received_bytes_total') >= half);
      assert.equal(origin.requests.length, asked);
      wire.write(part(body.slice(half)) + (protocol === 'length' ? '' : '0\r\n\r\n'));
      assert.equal((await wire.response('POST')).body, digest(body));
      wire.destroy();
    }
    assert.equal(files(berth), 0);
  });
}

scenario('an upload over HTTP/2 waits in a file as well', async (s) => {
  const { connect } = await import('node:http2');
  const origin = await s.origin(digesting);
  const berth = await s.front(origin, { listener: { http2: { cleartext: true } }, upstream: { request_body: 'spool' } });
  const session = connect(berth.url);
  s.client(() => session.destroy());
  const body = noise(500_000);
  const stream = session.request({ ':path': '/', ':method': 'POST' });
  stream.write(body.slice(0, 300_000));
  await berth.measured((m) => m.sum('berth_spool_bytes') > 100_000);
  assert.equal(origin.connections, 0);
  stream.end(body.slice(300_000));
  assert.equal(await readAll(stream), digest(body));
  assert.equal(files(berth), 0);
});

scenario('a client that leaves in the midst of its upload leaves no file', async (s) => {
  const origin = await s.origin(digesting);
  const berth = await s.front(origin);
  const wires = await Promise.all([0, 1].map(() => trickle(s, berth, 1_000_000, 'x'.repeat(200_000))));
  await berth.measured((m) => m.sum('berth_spool_files') === 2);
  assert.equal(files(berth), 2);
  wires[0].destroy();
  wires[1].socket.resetAndDestroy();
  await berth.measured((m) => m.sum('berth_spool_files') === 0 && m.sum('berth_spool_bytes') === 0);
  await until(() => files(berth) === 0, 'the files are closed');
  assert.equal(origin.connections, 0);
});

scenario('a body in a file is sent again when its connection turns out to be closed', async (s) => {
  const body = noise(300_000);
  const origin = await s.wireOrigin(async (wire, nth) => {
    await wire.request();
    wire.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi');
    if (nth === 0) {
      // Closes just as the next request comes.
      await wire.upTo('PUT ');
      wire.destroy();
      return;
    }
  });
  const berth = await s.front(origin, { workers: 1 });
  assert.equal((await s.request(berth)).body, 'hi');
  const wire = await s.wire(berth);
  wire.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`).write(body.slice(0, 1));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  wire.write(body.slice(1));
  assert.equal((await wire.response('PUT')).body, 'hi');
  assert.equal(origin.wires.length, 2);
  const m = await berth.metrics();
  assert.equal(m.sum('berth_upstream_stale_reuse_total', { outcome: 'replayed' }), 1);
  assert.ok(m.sum('berth_spool_written_bytes_total') > 200_000);
});

// --- When there is no room

scenario('the budget is used up: 503 that says so, and what is there already is served', async (s) => {
  const origin = await s.origin(digesting);
  const berth = await s.front(origin, { spool: { max_size: '256KiB', budget: '256KiB' } });
  const body = noise(200_000);
  const first = await trickle(s, berth, body.length, body.slice(0, 190_000));
  await berth.measured((m) => m.sum('berth_spool_bytes') > 100_000);
  const second = await trickle(s, berth, body.length, body.slice(0, 190_000));
  const got = await second.response('POST');
  assert.deepEqual([got.status, got.get('connection'), got.get('retry-after')], [503, 'close', '1']);
  assert.match(got.get('proxy-status'), /details="spool_full"/);
  await berth.logged(/warn spool: an upload was refused: .*spool\.budget is 256KiB/);
  first.write(body.slice(190_000));
  assert.equal((await first.response('POST')).body, digest(body));
  const m = await berth.measured((now) => now.sum('berth_spool_bytes') === 0);
  assert.equal(m.sum('berth_spool_failures_total', { reason: 'budget' }), 1);
  assert.equal(m.sum('berth_client_requests_refused_total', { reason: 'spool_full' }), 1);
});

scenario('the disk is full: 503, one line in the log, and others are served', async (s) => {
  const origin = await s.origin(digesting);
  const berth = await s.berth(config(origin), { fileSize: 256 });
  for (let i = 0; i < 3; ++i) {
    const wire = await trickle(s, berth, 1_000_000, 'x'.repeat(500_000));
    assert.equal((await wire.response('POST')).status, 503);
  }
  assert.equal((await s.request(berth)).status, 200);
  await berth.logged(/warn spool: an upload was refused: its file could not be written/);
  const m = await berth.metrics();
  assert.equal(m.sum('berth_spool_failures_total', { reason: 'disk_full' }), 3);
  assert.equal(m.sum('berth_spool_bytes'), 0);
  assert.equal(files(berth), 0);
  s.agent.destroy();
  await berth.stop();
  assert.equal(berth.log.match(/an upload was refused/g).length, 1);
});

scenario('max_size: longer ones stream, or are refused before they are asked for', async (s) => {
  const origin = await s.origin(digesting);
  const berth = await s.front(origin, {
    spool: { max_size: '128KiB', budget: '1MiB' },
    routes: [{ path: '/first', upstream: 'app', request_body: 'spool' }, { path: '/', upstream: 'app' }] });
  const body = noise(300_000);
  const long = await trickle(s, berth, body.length, body.slice(0, 200_000));
  await origin.seen((o) => o.requests.length === 1, 'it has begun to stream');
  long.write(body.slice(200_000));
  assert.equal((await long.response('POST')).body, digest(body));
  const wire = await s.wire(berth);
  wire.write(`POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${128 * 1024 + 1}\r\nExpect: 100-continue\r\n\r\n`);
  const got = await wire.response('POST');
  assert.deepEqual([got.status, got.interim.length, got.get('connection')], [413, 0, 'close']);
});

for (const framing of ['length', 'chunked']) {
  scenario(`a body that ends at max_size or at the budget is served, and one byte more is not (${framing})`, async (s) => {
    const origin = await s.origin(digesting);
    const berth = await s.front(origin, { spool: { max_size: '128KiB', budget: '128KiB' }, upstream: { request_body: 'spool' } });
    for (const [size, status] of [[131_071, 200], [131_072, 200], [131_073, 413], [131_072, 200]]) {
      const body = noise(size);
      const wire = await s.wire(berth);
      wire.write(framing === 'length' ? `${POST}Content-Length: ${size}\r\n\r\n${body}` :
        `${POST}Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
      const got = await wire.response('POST');
      assert.equal(got.status, status, `${size}`);
      if (status === 200) assert.equal(got.body, digest(body));
      else assert.match(got.get('proxy-status'), /details="spool_too_large"/);
      wire.destroy();
      await berth.measured((m) => m.sum('berth_spool_bytes') === 0);
    }
    assert.equal(origin.requests.length, 3);
    assert.equal((await berth.metrics()).sum('berth_spool_failures_total'), 0);
  });
}

scenario('a folder that is removed while Berth runs: 503 and a line in the log; small bodies are served', async (s) => {
  const folder = s.folder();
  const where = path.join(folder, 'spool');
  mkdirSync(where);
  const origin = await s.origin(digesting);
  const berth = await s.front(origin, { spool: { path: where }, upstream: { request_body: 'spool' } });
  rmdirSync(where);
  const body = noise(300_000);
  const got = await s.request(berth, { body });
  assert.equal(got.status, 503);
  assert.match(got.headers['proxy-status'], /details="spool_failed"/);
  await berth.logged(/warn spool: an upload was refused: its file could not be made: No such file or directory/);
  assert.equal((await s.request(berth, { body: 'small' })).body, digest('small'));
  mkdirSync(where);
  assert.equal((await s.request(berth, { body })).body, digest(body));
});

scenario('a folder that cannot be written to is found by check and at start, and a reload keeps the old one', async (s) => {
  const folder = s.folder();
  const nowhere = path.join(folder, 'nowhere');
  const origin = await s.origin(digesting);
  const settings = (where) => ({ ...config(origin), spool: { path: where } });
  const file = path.join(folder, 'berth.yaml');
  writeFileSync(file, JSON.stringify(settings(nowhere), null, 2));
  for (const command of [['check', '-c', file], ['run', '-c', file]]) {
    const said = await runBerth(command);
    assert.notEqual(said.code, 0);
    assert.match(said.stderr, /berth\.yaml:\d+:\d+: error: spool: no file can be made in \S+nowhere: No such file or directory/);
  }
  const berth = await s.berth(settings(folder));
  assert.match(await berth.reload(settings(nowhere)), /stays in effect: .*no file can be made/);
  const body = noise(100_000);
  assert.equal((await (await trickle(s, berth, body.length, body)).response('POST')).body, digest(body));
  assert.equal((await berth.metrics()).sum('berth_spool_failures_total'), 0);
});

scenario('spool: off: an upload that is too long for memory holds a connection', async (s) => {
  const origin = await s.origin(digesting);
  const berth = await s.front(origin, { spool: 'off' });
  await trickle(s, berth, 1_000_000, 'x'.repeat(66_000));
  await origin.seen((o) => o.connections === 1);
  assert.equal((await berth.metrics()).sum('berth_spool_written_bytes_total'), 0);
});

// --- Clients that rest

scenario('others wait: uploads that rest are ended, the first one first', async (s) => {
  const origin = await s.origin(digesting);
  const berth = await s.front(origin, {
    workers: 2, pool: { max_connections: 2, queue_timeout: '15s' }, upstream: { request_body: 'stream' }, access_log: { path: '-' } });
  const wires = [];
  for (let i = 0; i < 2; ++i) {
    wires.push(await s.wire(berth));
    wires[i].write(`${POST}Content-Length: 1000\r\n\r\nxx`);
    await origin.seen((o) => o.requests.length === i + 1);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  // Nobody waits: both may rest.
  assert.equal((await berth.metrics()).sum('berth_upstream_holders_ended_total'), 0);
  assert.equal((await s.request(berth)).status, 200);
  const got = await wires[0].response('POST');
  assert.deepEqual([got.status, got.get('connection')], [408, 'close']);
  assert.match(got.get('proxy-status'), /details="client_rested"/);
  await berth.logged(/warn pool: app\/\S+: others wait, so a request of 127\.0\.0\.1:\d+ was ended that held a connection and moved nothing for \S+: its body did not come/);
  const m = await berth.measured((now) => now.sum('berth_upstream_connections_closed_total', { reason: 'client_rested' }) === 1);
  assert.equal(m.sum('berth_upstream_holders_ended_total'), 1);
  // The other one is still served.
  wires[1].write('x'.repeat(998));
  assert.equal((await wires[1].response('POST')).status, 200);
  assert.ok(origin.mostOpen <= 2);
});

scenario('others wait: a response that its client does not read is ended', async (s) => {
  const origin = await s.origin((request, response) => {
    if (request.url === '/big') response.end(Buffer.alloc(64 << 20));
    else response.end('small');
  });
  const berth = await s.front(origin, { pool: { max_connections: 2, queue_timeout: '15s' } });
  for (let i = 0; i < 2; ++i) {
    const wire = await s.wire(berth);
    wire.pause();
    wire.write(GET.replace('/', '/big'));
  }
  await origin.seen((o) => o.requests.length === 2);
  assert.equal((await s.request(berth)).body, 'small');
  await berth.logged(/its response was not read/);
  const m = await berth.measured((now) => now.sum('berth_client_connections_closed_total', { reason: 'client_rested' }) >= 1);
  assert.ok(m.sum('berth_upstream_holders_ended_total') >= 1);
  assert.ok(origin.mostOpen <= 2);
});

scenario('rest_timeout: off: whoever holds a connection keeps it', async (s) => {
  const origin = await s.origin(digesting);
  const berth = await s.front(origin, {
    pool: { max_connections: 1, queue_timeout: '2s', rest_timeout: 'off' }, upstream: { request_body: 'stream' } });
  const wire = await s.wire(berth);
  wire.write(`${POST}Content-Length: 4\r\n\r\nxx`);
  await origin.seen((o) => o.requests.length === 1);
  assert.equal((await s.request(berth)).status, 503);
  wire.write('xx');
  assert.equal((await wire.response('POST')).status, 200);
});
