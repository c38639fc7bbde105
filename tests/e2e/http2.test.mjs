// HTTP/2 clients: Node's, curl, h2load, and bare frames.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import http2 from 'node:http2';
import path from 'node:path';
import { Authority } from './lib/certificates.mjs';
import { KernelWatch } from './lib/kernel.mjs';
import { readAll } from './lib/origin.mjs';
import { request, scenario } from './lib/scenario.mjs';
import { deferred, within } from './lib/wait.mjs';

const CLEARTEXT = { http2: { cleartext: true } };
const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR } = http2.constants;

function front(s, origin, { listener, ...more } = {}) {
  return s.front(origin, { ...more, listener: { ...CLEARTEXT, ...listener } });
}

async function connect(s, berth, options) {
  const session = http2.connect(berth.url, options);
  session.on('error', () => {});
  s.client(() => session.destroy());
  await within(new Promise((resolve) => session.once('remoteSettings', resolve)), 'SETTINGS');
  return session;
}

// Resolves with {status, headers, body, trailers, interim}. `options`: those of session.request.
function ask(session, headers = {}, body, options) {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined, ...options });
  const interim = [];
  let trailers = {};
  stream.on('headers', (fields) => interim.push(fields));
  stream.on('trailers', (fields) => { trailers = fields; });
  const answer = new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('response', (fields) => {
      readAll(stream).then((text) => resolve({ status: fields[':status'], headers: fields, body: text, trailers, interim }), reject);
    });
    stream.on('close', () => reject(new Error(`closed with ${stream.rstCode}`)));
  });
  answer.catch(() => {});
  if (typeof body === 'function') body(stream);
  else if (body !== undefined) stream.end(body);
  const result = within(answer, `${headers[':method'] ?? 'GET'} ${headers[':path'] ?? '/'}`);
  result.stream = stream;
  return result;
}

function acceptOf(req) {
  return createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

function run(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (bytes) => { output += bytes; });
  child.stderr.on('data', (bytes) => { output += bytes; });
  return within(new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  }), () => `${command} to end; it said ${output}`).finally(() => child.kill('SIGKILL'));
}

async function installed(command) {
  return run(command, ['--version']).then(({ code }) => code === 0, () => false);
}

scenario('a request and its response are the same to the server as over HTTP/1', async (s) => {
  const origin = await s.origin((req, res) => res.setHeader('Connection', 'keep-alive').setHeader('X-Answer', 'yes').end(JSON.stringify(req.headers)));
  const berth = await front(s, origin);
  const session = await connect(s, berth);
  const { status, headers, body } = await ask(session, { ':path': '/a?b=c', cookie: ['a=1', 'b=2'], 'x-mine': 'kept' });
  assert.equal(status, 200);
  assert.equal(headers['x-answer'], 'yes');
  assert.equal(headers.connection, undefined);
  assert.equal(headers['keep-alive'], undefined);
  const seen = JSON.parse(body);
  assert.equal(seen.host, `${berth.address.host}:${berth.address.port}`);
  assert.equal(seen.cookie, 'a=1; b=2');
  assert.equal(seen['x-mine'], 'kept');
  assert.equal(seen['x-forwarded-for'], '127.0.0.1');
  assert.match(seen['x-request-id'], /^[0-9a-f]{32}$/);
  assert.equal(origin.requests[0].url, '/a?b=c');
  assert.equal(origin.requests[0].httpVersion, '1.1');
  assert.equal((await request(berth)).status, 200, 'HTTP/1 at the same address');
  const m = await berth.measured((now) => now.sum('berth_client_requests_total') === 2);
  assert.equal(m.sum('berth_client_requests_total', { protocol: 'http/2' }), 1);
  const lines = await berth.accessLines(2);
  assert.deepEqual(lines.map((line) => JSON.parse(line).protocol).sort(), ['HTTP/1.1', 'HTTP/2']);
});

scenario('without the setting, the preface is refused', async (s) => {
  const berth = await s.front(await s.origin());
  const wire = await s.wire(berth);
  wire.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  await wire.take(() => wire.received.includes('HTTP/1.1 505'), 'a refusal');
});

scenario('bodies both ways, of every length', async (s) => {
  const origin = await s.origin((req, res) => req.pipe(res));
  const berth = await front(s, origin);
  const session = await connect(s, berth);
  await Promise.all([0, 1, 100, 16_384, 65_535, 65_536, 300_000, 2_000_000].map(async (size) => {
    const sent = Buffer.alloc(size, 'x').toString();
    const { body } = await ask(session, { ':method': 'POST', ':path': `/${size}` }, sent);
    assert.equal(body.length, size);
    const announced = await ask(session, { ':method': 'PUT', 'content-length': size }, sent);
    assert.equal(announced.body.length, size);
  }));
});

scenario('interim responses, trailers, HEAD and 204', async (s) => {
  const origin = await s.origin(async (req, res) => {
    if (req.url === '/hints') {
      res.writeEarlyHints({ link: '</style.css>; rel=preload' });
      res.end('hinted');
    } else if (req.url === '/trailers') {
      await readAll(req);
      res.writeHead(200, { Trailer: 'X-Sum' });
      res.write('body');
      res.addTrailers({ 'X-Sum': req.trailers['x-in'] ?? 'none' });
      res.end();
    } else if (req.url === '/empty') {
      res.writeHead(204).end();
    } else {
      res.setHeader('Content-Length', '1000');
      res.end(req.method === 'HEAD' ? undefined : 'x'.repeat(1000));
    }
  });
  const berth = await front(s, origin);
  const session = await connect(s, berth);
  const hints = await ask(session, { ':path': '/hints' });
  assert.equal(hints.interim[0][':status'], 103);
  assert.equal(hints.interim[0].link, '</style.css>; rel=preload');
  assert.equal(hints.body, 'hinted');
  const trailers = await ask(session, { ':method': 'POST', ':path': '/trailers', trailer: 'x-in' }, (stream) => {
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-in': '42' }));
    stream.end('in');
  }, { waitForTrailers: true });
  assert.equal(trailers.body, 'body');
  assert.equal(trailers.trailers['x-sum'], '42');
  const head = await ask(session, { ':method': 'HEAD' });
  assert.equal(head.headers['content-length'], '1000');
  assert.equal(head.body, '');
  assert.equal((await ask(session, { ':path': '/empty' })).status, 204);
});

scenario('100 (Continue) is Berth\'s to say', async (s) => {
  const origin = await s.origin((req, res) => req.pipe(res));
  let asked = 0;
  origin.server.on('checkContinue', () => { ++asked; });
  const berth = await front(s, origin);
  const session = await connect(s, berth);
  const stream = session.request({ ':path': '/', ':method': 'POST', expect: '100-continue' });
  await within(new Promise((resolve) => stream.once('continue', resolve)), '100');
  assert.equal(origin.connections, 0);
  stream.end('now');
  assert.equal(await readAll(stream), 'now');
  assert.equal(asked, 0);
});

scenario('streaming: 100 (Continue) is the server\'s to say, and both directions go on at the same time', async (s) => {
  const origin = await s.origin((req, res) => req.pipe(res));
  origin.server.on('checkContinue', (req, res) => { res.writeContinue(); res.writeHead(200); res.flushHeaders(); req.pipe(res); });
  const berth = await front(s, origin, { upstream: { request_body: 'stream' } });
  const session = await connect(s, berth);
  const stream = session.request({ ':path': '/', ':method': 'POST', expect: '100-continue' });
  await within(new Promise((resolve) => stream.once('continue', resolve)), '100');
  await within(new Promise((resolve) => stream.once('response', resolve)), 'the head');
  for (const piece of ['one', 'two', 'six']) {
    stream.write(piece);
    const [echo] = await within(new Promise((resolve) => stream.once('data', (...got) => resolve(got))), piece);
    assert.equal(String(echo), piece);
  }
  stream.end();
  assert.equal(await readAll(stream), '');
});

scenario('a hundred streams share a pool of eight as a hundred clients do', async (s) => {
  const release = deferred();
  const origin = await s.origin(async (req, res) => { await release.promise; res.end(req.url); });
  const berth = await front(s, origin, { workers: 1, pool: { max_connections: 8, queue_timeout: '30s' } });
  const session = await connect(s, berth);
  const all = Array.from({ length: 100 }, (_, i) => ask(session, { ':path': `/${i}` }));
  await origin.seen((o) => o.requests.length === 8);
  const m = await berth.measured((now) => now.sum('berth_client_streams') === 100 && now.sum('berth_upstream_queue_length') === 92);
  assert.equal(m.sum('berth_client_connections', { state: 'active' }), 1);
  release.resolve();
  for (const [i, answer] of (await Promise.all(all)).entries()) assert.equal(answer.body, `/${i}`);
  assert.ok(origin.mostOpen <= 8);
});

scenario('a stream whose client does not read stalls no other', async (s) => {
  const origin = await s.origin((req, res) => res.end(Buffer.alloc(req.url === '/big' ? 1_000_000 : 10, 'x')));
  const berth = await front(s, origin, { workers: 1 });
  const session = await connect(s, berth);
  const big = session.request({ ':path': '/big' });
  big.on('error', () => {});
  await within(new Promise((resolve) => big.once('response', resolve)), 'the big one to begin');
  for (let i = 0; i < 20; ++i) assert.equal((await ask(session)).body.length, 10);
  big.close(NGHTTP2_CANCEL);
  await berth.measured((m) => m.sum('berth_client_streams_reset_total', { by: 'client' }) === 1);
  assert.equal((await ask(session)).status, 200);
});

scenario('a client that cancels takes its request with it', async (s) => {
  const gone = deferred();
  const origin = await s.origin((req, res) => { if (req.url === '/slow') res.on('close', gone.resolve); else res.end('ok'); });
  const berth = await front(s, origin);
  const session = await connect(s, berth);
  const slow = session.request({ ':path': '/slow' });
  slow.on('error', () => {});
  await origin.seen((o) => o.requests.length === 1);
  slow.close(NGHTTP2_CANCEL);
  await within(gone.promise, 'the server to hear of it');
  await berth.measured((m) => m.sum('berth_client_requests_total', { code: '499' }) === 1 && m.sum('berth_client_streams') === 0);
  assert.equal((await ask(session)).status, 200);
});

scenario('a response that breaks off is a reset, not an end', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    await wire.take(() => wire.received.includes('\r\n\r\n'), 'a request');
    wire.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome');
    wire.end();
  });
  const berth = await front(s, origin);
  const session = await connect(s, berth);
  await assert.rejects(ask(session), /NGHTTP2_INTERNAL_ERROR|closed with 2/);
  await berth.measured((m) => m.sum('berth_client_streams_reset_total', { by: 'berth' }) === 1);
});

scenario('an answer that comes before the body is whole', async (s) => {
  const origin = await s.origin((req, res) => { res.writeHead(413).end('too much'); });
  const berth = await front(s, origin, { upstream: { request_buffer: '4KiB' } });
  const session = await connect(s, berth);
  const { status, body } = await ask(session, { ':method': 'POST' }, (stream) => { stream.on('error', () => {}); stream.write(Buffer.alloc(20_000)); });
  assert.equal(status, 413);
  assert.equal(body, 'too much');
  assert.equal((await ask(session)).status, 413, 'the connection lives on');
});

// curl 7.88 and Node 20 lose a response behind which RST_STREAM(NO_ERROR) comes in the same write.
scenario('an answer before the upload ends reaches curl and Node, and the stream ends', async (s) => {
  const origin = await s.origin((req, res) => { res.writeHead(401, { 'www-authenticate': 'Basic' }).end('who are you?'); });
  const berth = await front(s, origin, { listener: { ...CLEARTEXT, max_body: '40MiB' }, upstream: { request_buffer: '4KiB' } });
  const file = path.join(s.folder(), 'upload');
  writeFileSync(file, Buffer.alloc(30 << 20));
  const large = path.join(s.folder(), 'large');
  writeFileSync(large, Buffer.alloc(50 << 20));
  for (let i = 0; i < 5; ++i) {
    const upload = (what) => run('curl', ['-sS', '--http2-prior-knowledge', '-w', ' %{http_code}', '-T', what, berth.url]);
    assert.deepEqual(await upload(file), { code: 0, output: 'who are you? 401' });
    const refused = await upload(large);
    assert.equal(refused.code, 0, refused.output);
    assert.match(refused.output, / 413$/);
  }
  const session = await connect(s, berth);
  for (let i = 0; i < 3; ++i) {
    const got = ask(session, { ':method': 'POST' }, (stream) => {
      stream.on('error', () => {});
      stream.write(Buffer.alloc(200_000));
    });
    const closed = new Promise((resolve) => got.stream.once('close', resolve));
    assert.deepEqual([(await got).status, (await got).body], [401, 'who are you?']);
    await within(closed, 'the stream to close');
    assert.equal(got.stream.rstCode, NGHTTP2_NO_ERROR);
  }
  const lines = (await berth.accessLines(13)).map((line) => JSON.parse(line));
  assert.ok(lines.every((line) => line.duration < 30), 'and the log does not count what nobody waited for');
});

scenario('DATA for a stream that was reset is not read without end', async (s) => {
  const berth = await front(s, await s.origin());
  const wire = await s.wire(berth);
  const data = frame(0, 0, 1, Buffer.alloc(16_000));
  wire.write(Buffer.concat([HELLO, get(1), cancel(1)]));
  for (let i = 0; i < 1000; ++i) wire.write(data);
  await wire.finish();
  const m = await berth.measured((now) => now.sum('berth_client_connections_closed_total', { reason: 'frame_flood' }) + now.sum('berth_client_connections_closed_total', { reason: 'http2_error' }) === 1);
  assert.ok(m.sum('berth_client_received_bytes_total') < 4 << 20);
});

// Never two streams at the same time, and each reset is heard of before the next stream: what ends it is the count.
scenario('rapid reset, one stream after the other', async (s) => {
  const berth = await front(s, await s.origin(() => {}), { workers: 1 });
  const bad = await s.wire(berth);
  bad.write(HELLO);
  let nth = 0;
  for (; nth < 2000 && !bad.ended && !bad.closed; ++nth) {
    bad.write(Buffer.concat([get(2 * nth + 1), cancel(2 * nth + 1)]));
    // A PING that is answered: all before it has been read.
    if (nth % 10 === 0) {
      bad.write(frame(6, 0, 0, Buffer.from(String(nth).padStart(8))));
      await bad.upTo(String(nth).padStart(8)).catch(() => {});
    }
  }
  await bad.finish();
  assert.ok(nth >= 200 && nth < 1000, `${nth} streams`);
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'reset_flood' }) === 1);
});

scenario('errors of Berth\'s own', async (s) => {
  const berth = await front(s, await s.origin(), { listener: { ...CLEARTEXT, max_body: '1KiB' } });
  const session = await connect(s, berth);
  const large = await ask(session, { ':method': 'POST', 'content-length': 5000 }, (stream) => stream.on('error', () => {}));
  assert.equal(large.status, 413);
  assert.match(large.headers['proxy-status'], /berth; error=.*body_too_large/);
  const trace = await ask(session, { ':method': 'TRACE' });
  assert.equal(trace.status, 501);
  assert.equal((await ask(session)).status, 200);
});

scenario('a WebSocket through extended CONNECT', async (s) => {
  const origin = await s.origin();
  origin.server.on('upgrade', (req, socket) => {
    assert.match(req.headers['sec-websocket-key'], /^[A-Za-z0-9+/]{22}==$/);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ' + acceptOf(req) + '\r\n\r\nhello ');
    socket.on('data', (bytes) => socket.write(bytes.toString().toUpperCase()));
    socket.on('end', () => socket.end('bye'));
  });
  const berth = await front(s, origin);
  const session = await connect(s, berth);
  assert.equal(session.remoteSettings.enableConnectProtocol, true);
  const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/ws' });
  const head = await within(new Promise((resolve, reject) => stream.once('response', resolve).once('error', reject)), '200');
  assert.equal(head[':status'], 200);
  assert.equal(head['sec-websocket-accept'], undefined);
  stream.write('world');
  let text = '';
  const whole = deferred();
  stream.setEncoding('latin1').on('data', (piece) => {
    text += piece;
    if (text === 'hello WORLD') stream.end();
  });
  stream.on('end', whole.resolve);
  await within(whole.promise, 'the end of the tunnel');
  assert.equal(text, 'hello WORLDbye');
  assert.equal((await ask(session)).status, 200);
});

scenario('an app that shuts down its side of a WebSocket still hears the client, over HTTP/2', async (s) => {
  const origin = await s.origin();
  const heard = deferred();
  origin.server.on('upgrade', (req, socket) => {
    socket.end(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptOf(req)}\r\n\r\nall`);
    const pieces = [];
    socket.on('data', (piece) => pieces.push(piece)).on('error', heard.reject).on('end', () => heard.resolve(Buffer.concat(pieces).toString()));
  });
  origin.server.on('connection', (socket) => { socket.allowHalfOpen = true; });
  const berth = await front(s, origin);
  const session = await connect(s, berth);
  await within(new Promise((resolve) => (session.remoteSettings?.enableConnectProtocol ? resolve() : session.once('remoteSettings', resolve))), 'SETTINGS');
  const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/ws' });
  assert.equal(await within(readAll(stream), 'what the app says'), 'all');
  stream.end('and the client');
  assert.equal(await within(heard.promise, 'what the client says'), 'and the client');
});

scenario('an app that does not upgrade: over HTTP/2 a 2xx would be a tunnel', async (s) => {
  const origin = await s.origin((req, res) => {
    res.statusCode = Number(req.url.slice(1));
    res.end('a page');
  });
  const berth = await front(s, origin);
  const session = await connect(s, berth);
  const answers = await Promise.all([200, 204, 403].map((status) => ask(session, { ':method': 'CONNECT', ':protocol': 'websocket', ':path': `/${status}` })));
  assert.deepEqual(answers.map(({ status }) => status), [502, 502, 403]);
  assert.match(answers[0].headers['proxy-status'], /http_upgrade_failed/);
  assert.equal(answers[2].body, 'a page');
  assert.equal((await ask(session, { ':path': '/200' })).status, 200);
});

scenario('keepalive_requests ends a connection without losing a request', async (s) => {
  const origin = await s.origin();
  const berth = await front(s, origin, { listener: { ...CLEARTEXT, keepalive_requests: 20 } });
  const session = await connect(s, berth);
  const codes = [];
  session.on('goaway', (code) => codes.push(code));
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(session)));
  assert.ok(answers.every(({ status }) => status === 200));
  await within(new Promise((resolve) => (session.closed ? resolve() : session.once('close', resolve))), 'the session to end');
  assert.ok(codes.every((code) => code === NGHTTP2_NO_ERROR), `${codes}`);
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'keepalive_requests' }) === 1);
});

scenario('keepalive_requests waits for a pause: no GOAWAY while requests come', async (s) => {
  const release = deferred();
  const origin = await s.origin(async (req, res) => { if (req.url === '/hold') await release.promise; res.end('ok'); });
  const berth = await front(s, origin, { listener: { ...CLEARTEXT, keepalive_requests: 20 } });
  const session = await connect(s, berth);
  const codes = [];
  session.on('goaway', (code) => codes.push(code));
  const held = ask(session, { ':path': '/hold' });
  await Promise.all(Array.from({ length: 30 }, () => ask(session)));
  assert.equal((await ask(session)).status, 200);
  assert.deepEqual(codes, []);
  release.resolve();
  assert.equal((await held).status, 200);
  await within(new Promise((resolve) => session.once('close', resolve)), 'the session to end');
  assert.ok(codes.length > 0 && codes.every((code) => code === NGHTTP2_NO_ERROR), `${codes}`);
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'keepalive_requests' }) === 1);
});

scenario('a stop lets the streams under way finish', async (s) => {
  const release = deferred();
  const origin = await s.origin(async (req, res) => { await release.promise; res.end('late'); });
  const berth = await front(s, origin);
  const session = await connect(s, berth);
  const goaway = new Promise((resolve) => session.once('goaway', resolve));
  const answers = [ask(session), ask(session)];
  await origin.seen((o) => o.requests.length === 2);
  berth.kill('SIGTERM');
  assert.equal(await within(goaway, 'GOAWAY'), NGHTTP2_NO_ERROR);
  release.resolve();
  for (const { body } of await Promise.all(answers)) assert.equal(body, 'late');
  assert.equal((await within(berth.exited, 'berth to end')).code, 0);
});

scenario('a stop that waits no longer cuts off what is under way', async (s) => {
  const origin = await s.origin((req, res) => { res.write(Buffer.alloc(200_000)); });
  const berth = await front(s, origin, { shutdown: { grace: '100ms' }, access_log: { path: '-' } });
  const session = await connect(s, berth);
  const stream = session.request({ ':path': '/' });
  stream.on('error', () => {});
  await within(new Promise((resolve) => stream.once('response', resolve)), 'the response to begin');
  berth.kill('SIGTERM');
  assert.equal((await within(berth.exited, 'berth to end')).code, 0);
  assert.equal((await berth.accessLines(1)).length, 1);
});

scenario('an idle connection times out with GOAWAY', async (s) => {
  const berth = await front(s, await s.origin(), { listener: { ...CLEARTEXT, keepalive_timeout: '300ms' } });
  const session = await connect(s, berth);
  assert.equal((await ask(session)).status, 200);
  await within(new Promise((resolve) => session.once('close', resolve)), 'the end');
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'keepalive_timeout' }) === 1);
});

const frame = (type, flags, stream, payload = Buffer.alloc(0)) => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};
const HELLO = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0), frame(4, 1, 0)]);

// GET / on this stream, by HPACK's static table.
const get = (stream) => frame(1, 5, stream, Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 0x61]));
const cancel = (stream) => frame(3, 0, stream, Buffer.from([0, 0, 0, NGHTTP2_CANCEL]));

scenario('rapid reset ends with ENHANCE_YOUR_CALM, and others do not notice', async (s) => {
  const origin = await s.origin((req, res) => { if (req.headers.host !== 'a') res.end('ok'); });
  const kernel = s.behind(await KernelWatch.start(origin.server.address().port));
  const berth = await front(s, origin, { workers: 1, pool: { max_connections: 4, queue_timeout: '30s' } });
  const good = await connect(s, berth);
  const bad = await s.wire(berth);
  bad.write(HELLO);
  for (let i = 0; i < 1000; ++i) bad.write(Buffer.concat([get(2 * i + 1), cancel(2 * i + 1)]));
  const goaway = await bad.take(() => {
    const at = bad.received.indexOf(Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0]));
    return at >= 0 && bad.received.length >= at + 17 && bad.received.subarray(at + 9, at + 17);
  }, 'GOAWAY');
  assert.equal(goaway.readUInt32BE(4), NGHTTP2_ENHANCE_YOUR_CALM);
  assert.ok(goaway.readUInt32BE(0) < 600, 'no more streams than the budget allows');
  assert.equal((await ask(good)).status, 200);
  const m = await berth.measured((now) => now.sum('berth_client_connections_closed_total', { reason: 'reset_flood' }) === 1);
  assert.equal(m.sum('berth_client_streams'), 0);
  await kernel.neverMoreThan(4);
});

for (const [what, flood, reason] of [
  ['PING', () => frame(6, 0, 0, Buffer.alloc(8)), 'frame_flood'],
  ['SETTINGS', () => frame(4, 0, 0), 'frame_flood'],
  ['empty CONTINUATION', (nth) => (nth === 0 ? frame(1, 0, 1, Buffer.from([0x82])) : frame(9, 0, 1)), 'header_flood'],
  ['PRIORITY', () => frame(2, 0, 1, Buffer.alloc(5)), 'frame_flood'],
]) {
  scenario(`a flood of ${what} costs little`, async (s) => {
    const berth = await front(s, await s.origin(), { workers: 1 });
    await (await connect(s, berth)).close();
    const cpu = async () => (await berth.metrics()).sum('process_cpu_seconds_total');
    const before = await cpu();
    const wire = await s.wire(berth);
    wire.write(HELLO);
    const megabytes = Buffer.concat(Array.from({ length: 100_000 }, (_, i) => flood(i)));
    for (let i = 0; i < 10; ++i) wire.write(megabytes);
    await within(new Promise((resolve) => wire.socket.once('close', resolve).once('end', () => wire.destroy())), 'the end');
    await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason }) === 1);
    assert.ok((await cpu()) - before < 1, 'CPU');
    berth.hasStayedBelow(100 << 20);
  });
}

scenario('a header block that is not finished ends after header_timeout', async (s) => {
  const berth = await front(s, await s.origin(), { listener: { ...CLEARTEXT, header_timeout: '200ms' } });
  const wire = await s.wire(berth);
  wire.write(HELLO).write(frame(1, 0, 1, Buffer.from([0x82])));
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'header_timeout' }) === 1);
});

scenario('SETTINGS that are not acknowledged end the connection after header_timeout', async (s) => {
  const berth = await front(s, await s.origin(), { listener: { ...CLEARTEXT, header_timeout: '200ms' } });
  const wire = await s.wire(berth);
  wire.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)]));
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'settings_timeout' }) === 1);
});

scenario('a body that stalls is answered with 408', async (s) => {
  const berth = await front(s, await s.origin(), { listener: { ...CLEARTEXT, body_timeout: '200ms', min_body_rate: 'off' } });
  const session = await connect(s, berth);
  const { status } = await ask(session, { ':method': 'POST' }, (stream) => { stream.on('error', () => {}); stream.write('some'); });
  assert.equal(status, 408);
  assert.equal((await ask(session)).status, 200);
});

scenario('a client that takes nothing of a stream loses that stream only', async (s) => {
  const origin = await s.origin((req, res) => res.end(Buffer.alloc(req.url === '/big' ? 3_000_000 : 10, 'x')));
  const berth = await front(s, origin, { listener: { ...CLEARTEXT, send_timeout: '300ms', min_send_rate: 'off' } });
  const session = await connect(s, berth);
  const big = session.request({ ':path': '/big' });
  big.on('error', () => {});
  await berth.measured((m) => m.sum('berth_client_streams_reset_total', { by: 'berth' }) === 1);
  assert.equal((await ask(session)).body.length, 10);
});

scenario('a client that says everything at once and hangs up', async (s) => {
  const berth = await front(s, await s.origin());
  const wire = await s.wire(berth);
  wire.write(Buffer.concat([HELLO, get(1)])).end();
  await berth.measured((m) => m.sum('berth_client_connections_closed_total') === 1 && m.sum('berth_client_streams') === 0);
});

scenario('curl', async (s) => {
  const origin = await s.origin((req, res) => req.pipe(res));
  const berth = await front(s, origin);
  const { code, output } = await run('curl', ['-sS', '--http2-prior-knowledge', '-w', ' %{http_version} %{http_code}', '-d', 'hello', `${berth.url}/x`]);
  assert.equal(code, 0, output);
  assert.equal(output, 'hello 2 200');
});

scenario('h2load: 100 streams over a pool of 8', async (s, t) => {
  if (!(await installed('h2load'))) return t.skip('h2load is not installed (Debian: nghttp2-client)');
  const origin = await s.origin();
  const berth = await front(s, origin, { pool: { max_connections: 8, queue_timeout: '30s' }, listener: { ...CLEARTEXT, keepalive_requests: 1_000_000 } });
  const { output } = await run('h2load', ['-n', '5000', '-c', '2', '-m', '100', `${berth.url}/`]);
  assert.match(output, /5000 total, 5000 started, 5000 done, 5000 succeeded, 0 failed, 0 errored/, output);
  assert.ok(origin.mostOpen <= 8, `${origin.mostOpen}`);
});

scenario('over TLS: curl, h2load', async (s, t) => {
  const { files } = new Authority(s.folder()).issue('localhost');
  const origin = await s.origin((req, res) => req.pipe(res));
  const berth = await s.front(origin, {
    pool: { max_connections: 8, queue_timeout: '30s' }, listener: { tls: { certificates: [files] }, keepalive_requests: 1_000_000 },
  });
  const url = `https://localhost:${berth.address.port}/`;
  const { code, output } = await run('curl', ['-sSk', '--http2', '-w', ' %{http_version} %{http_code}', '-d', 'hello', url]);
  assert.equal(code, 0, output);
  assert.equal(output, 'hello 2 200');
  if (!(await installed('h2load'))) return t.diagnostic('h2load is not installed (Debian: nghttp2-client)');
  const load = await run('h2load', ['-n', '5000', '-c', '2', '-m', '100', url]);
  assert.match(load.output, /5000 total, 5000 started, 5000 done, 5000 succeeded, 0 failed, 0 errored/, load.output);
  assert.ok(origin.mostOpen <= 8, `${origin.mostOpen}`);
});
