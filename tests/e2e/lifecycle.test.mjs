// Stopping, logs, signals.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, statSync } from 'node:fs';
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

scenario('access log: each line is JSON and tells what happened', async (s) => {
  const origin = await s.origin((request, response) => {
    response.writeHead(request.url === '/teapot' ? 418 : 200);
    response.end('hello');
  });
  const berth = await s.front(origin);
  await s.request(berth, { path: '/first?q=1', headers: { 'user-agent': 'a "quoted" agent\\', referer: 'http://example.com/', host: 'example.com' } });
  await s.request(berth, { path: '/teapot', body: 'content' });
  const wire = await s.wire(berth);
  wire.write('GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n');
  await wire.finish();
  const lines = (await berth.accessLines(3)).map((line) => JSON.parse(line));
  const [first] = lines.filter((line) => line.target === '/first?q=1');
  assert.equal(first.method, 'GET');
  assert.equal(first.status, 200);
  assert.equal(first.host, 'example.com');
  assert.equal(first.user_agent, 'a "quoted" agent\\');
  assert.equal(first.referer, 'http://example.com/');
  assert.equal(first.upstream, 'app');
  assert.equal(first.server, origin.address);
  assert.equal(first.source, 'new');
  assert.match(first.client, /^127\.0\.0\.1:\d+$/);
  assert.match(first.request_id, /^[0-9a-f]{32}$/);
  assert.ok(first.duration >= 0 && first.sent_bytes > 5 && first.received_bytes > 50);
  assert.ok(Math.abs(Date.parse(first.time) - Date.now()) < 60_000);
  const [teapot] = lines.filter((line) => line.target === '/teapot');
  assert.deepEqual([teapot.method, teapot.status], ['POST', 418]);
  const [bad] = lines.filter((line) => line.status === 400);
  assert.equal(bad.reason, 'bad_target');
});

scenario('access log: hostile texts stay within their line', async (s) => {
  const berth = await s.front(await s.origin());
  const wire = await s.wire(berth);
  wire.write('GET /"}{<script> HTTP/1.1\r\nHost: a\r\nUser-Agent: \xff\xfe"\\ \xe2\x80\xa8 x\r\nReferer: {"a":1}\r\n\r\n');
  await wire.response();
  const [line] = await berth.accessLines(1);
  const record = JSON.parse(line);
  assert.equal(record.target, '/"}{<script>');
  assert.equal(record.referer, '{"a":1}');
});

scenario('access log in combined format', async (s) => {
  const folder = s.folder();
  const file = path.join(folder, 'access.log');
  const berth = await s.front(await s.origin(), { access_log: { path: file, format: 'combined' } });
  await s.request(berth, { path: '/x', headers: { 'user-agent': 'curl/8', referer: 'http://r/' } });
  const text = await until(() => { const now = readFileSync(file, 'latin1'); return now.includes('\n') && now; }, 'a line');
  assert.match(text, /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/x HTTP\/1\.1" 200 \d+ "http:\/\/r\/" "curl\/8"\n$/);
});

scenario('access log behind a trusted proxy: the client is named, and the size is the body\'s', async (s) => {
  const forwarding = { trusted_proxies: ['127.0.0.1'] };
  const answers = await s.origin((req, res) => (req.url === '/chunked' ? (res.write('12345'), res.end('67890')) : res.end('x'.repeat(1234))));
  const told = [
    ['9.9.9.9', '9.9.9.9'],
    ['6.6.6.6, 2001:db8::7', '2001:db8::7'],
    ['8.8.8.8, 127.0.0.1', '8.8.8.8'],
  ];
  const json = await s.front(answers, { forwarding });
  for (const [xff] of told) await s.request(json, { path: '/', headers: { 'x-forwarded-for': xff } });
  await s.request(json, { path: '/chunked' });
  const lines = (await json.accessLines(told.length + 1)).map((line) => JSON.parse(line));
  for (const [i, [, client]] of told.entries()) {
    assert.equal(lines[i].client, client);
    assert.match(lines[i].peer, /^127\.0\.0\.1:\d+$/);
    assert.equal(lines[i].body_bytes, 1234);
    assert.ok(lines[i].sent_bytes > 1300);
  }
  assert.match(lines[3].client, /^127\.0\.0\.1:\d+$/);
  assert.equal(lines[3].peer, undefined);
  assert.equal(lines[3].body_bytes, 10);

  const file = path.join(s.folder(), 'access.log');
  const combined = await s.front(answers, { forwarding, access_log: { path: file, format: 'combined' } });
  await s.request(combined, { path: '/', headers: { 'x-forwarded-for': '6.6.6.6, 2001:db8::7' } });
  const text = await until(() => { const now = readFileSync(file, 'latin1'); return now.includes('\n') && now; }, 'a line');
  assert.match(text, /^2001:db8::7 - - \[.*\] "GET \/ HTTP\/1\.1" 200 1234 /);
});

scenario('SIGUSR1 after a rename: later lines go to the new file, none is lost', async (s) => {
  const folder = s.folder();
  const file = path.join(folder, 'access.log');
  const berth = await s.front(await s.origin(), { access_log: { path: file } });
  const lines = (name) => (existsSync(name) ? readFileSync(name, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line).target) : []);
  for (let i = 0; i < 5; ++i) await s.request(berth, { path: `/before/${i}` });
  renameSync(file, `${file}.1`);
  const from = berth.logEnd();
  berth.kill('SIGUSR1');
  await berth.logged(/reopened/, from);
  await until(() => existsSync(file), 'the new file');
  for (let i = 0; i < 5; ++i) await s.request(berth, { path: `/after/${i}` });
  s.agent.destroy();
  await berth.stop();
  const all = [...lines(`${file}.1`), ...lines(file)];
  assert.equal(new Set(all).size, 10);
  assert.equal(all.length, 10);
  assert.ok(lines(file).filter((target) => target.startsWith('/after')).length === 5);
  assert.equal(statSync(file).mode & 0o777, 0o640);
});

scenario('access_log: off writes nothing', async (s) => {
  const berth = await s.front(await s.origin(), { access_log: 'off' });
  await s.request(berth);
  s.agent.destroy();
  await berth.stop();
  assert.equal(berth.stdout, '');
});

scenario('the access log is switched by a reload', async (s) => {
  const folder = s.folder();
  const file = path.join(folder, 'access.log');
  const origin = await s.origin();
  const berth = await s.front(origin, { access_log: 'off' });
  await s.request(berth, { path: '/silent' });
  await berth.reload({ ...config(origin), access_log: { path: file } });
  await berth.measured((m) => m.sum('berth_config_reloads_total', { result: 'success' }) === 1);
  await s.request(berth, { path: '/loud' });
  s.agent.destroy();
  await berth.stop();
  assert.deepEqual(readFileSync(file, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line).target), ['/loud']);
  assert.equal(berth.stdout, '');
});

scenario('a reader of the access log that stands still holds nothing up', async (s) => {
  const berth = await s.front(await s.origin());
  berth.child.stdout.pause();
  // Far more than the pipe and the stream's buffer take.
  const long = `/${'x'.repeat(7000)}`;
  for (let round = 0; round < 10; ++round) {
    await Promise.all(Array.from({ length: 20 }, async () => assert.equal((await s.request(berth, { path: long })).status, 200)));
  }
  berth.child.stdout.resume();
});

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
