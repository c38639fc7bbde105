// The access log: what its lines say, and where they go.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import path from 'node:path';
import { Authority } from './lib/certificates.mjs';
import { HttpsOrigin, readAll } from './lib/origin.mjs';
import { config, scenario } from './lib/scenario.mjs';
import { until, within } from './lib/wait.mjs';

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

scenario('which connection, its requests, and body bytes of both directions', async (s) => {
  const origin = await s.origin(async (request, response) => response.end(await readAll(request)));
  const berth = await s.front(origin, { workers: 1 });
  const wire = await s.wire(berth);
  wire.write('POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345');
  await wire.response('POST');
  wire.write('POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  wire.write('3\r\nabc\r\n');
  wire.write('4;x=y\r\ndefg\r\n0\r\n\r\n');
  await wire.response('POST');
  const other = await s.wire(berth);
  other.write('GET /other HTTP/1.1\r\nHost: a\r\n\r\n');
  await other.response('GET');
  const lines = (await berth.accessLines(3)).map((line) => JSON.parse(line));
  const bodies = lines.map((line) => [line.target, line.connection_requests, line.request_body_bytes, line.body_bytes]);
  assert.deepEqual(bodies, [['/length', 1, 5, 5], ['/chunked', 2, 7, 7], ['/other', 1, 0, 0]]);
  assert.deepEqual(lines.map((line) => line.server_connection_requests), [1, 2, 3]);
  assert.equal(origin.connections, 1);
  assert.equal(new Set(lines.map((line) => line.server_connection)).size, 1);
  const [first, second, third] = lines.map((line) => line.connection);
  assert.match(first, /^0-\d+$/);
  assert.equal(second, first);
  assert.notEqual(third, first);
});

scenario('TLS of both sides', async (s) => {
  const authority = new Authority(s.folder());
  const own = authority.issue('localhost');
  const origin = await new HttpsOrigin((request, response) => response.end('ok'), { ...authority.issue('127.0.0.1'), maxVersion: 'TLSv1.2' })
    .listen({ host: '127.0.0.1', port: 0 });
  s.behind(origin);
  const berth = await s.front(origin, {
    workers: 1, listener: { tls: { certificates: [own.files] } }, upstream: { tls: { ca: authority.file } } });
  const ask = async (options) => {
    const agent = new https.Agent({ maxCachedSessions: 0 });
    s.client(() => agent.destroy());
    return await within(new Promise((resolve, reject) => {
      https.get({ port: berth.address.port, host: '127.0.0.1', servername: 'localhost', ca: authority.pem, agent, ...options }, (response) => {
        response.resume().on('end', () => resolve(response));
      }).on('error', reject);
    }), 'an answer');
  };
  await ask({ path: '/1', maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384', ALPNProtocols: ['http/1.1'] });
  const session = http2.connect(`https://localhost:${berth.address.port}`, { ca: authority.pem });
  s.client(() => session.destroy());
  const stream = session.request({ ':path': '/2' });
  stream.resume();
  await within(new Promise((resolve) => stream.on('close', resolve)), 'the stream');
  const lines = (await berth.accessLines(2)).map((line) => JSON.parse(line));
  const client = ({ tls_version, tls_cipher, tls_server_name, tls_alpn, tls_resumed }) => [tls_version, tls_cipher, tls_server_name, tls_alpn, tls_resumed];
  assert.deepEqual(client(lines[0]), ['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'localhost', 'http/1.1', false]);
  assert.deepEqual(client(lines[1]), ['TLSv1.3', 'TLS_AES_128_GCM_SHA256', 'localhost', 'h2', false]);
  for (const line of lines) {
    assert.equal(line.server_tls_version, 'TLSv1.2');
    assert.match(line.server_tls_cipher, /^ECDHE-ECDSA-/);
    assert.equal(line.server_tls_resumed, false);
  }
});

scenario('the servers that were tried before, and the reason in words', async (s) => {
  const gone = await s.origin();
  const alive = await s.origin((request, response) => response.end('ok'));
  const { port } = gone.server.address();
  await gone.close();
  const berth = await s.front([`127.0.0.1:${port}`, alive.address], { workers: 1, pool: { wait_while_down: false }, upstream: { balance: 'round_robin' } });
  for (let i = 0; i < 4; ++i) assert.equal((await s.request(berth)).status, 200);
  const tried = await berth.accessed((line) => line.attempts === 2);
  assert.deepEqual(tried.failed_attempts, [{ server: `127.0.0.1:${port}`, reason: 'connect_refused' }]);
  assert.equal(tried.server, alive.address);
  assert.equal(tried.reason, undefined);
  await alive.close();
  assert.equal((await s.request(berth)).status, 502);
  const failed = await berth.accessed((line) => line.status === 502);
  assert.deepEqual([failed.reason, failed.reason_text], ['connect_refused', 'the app server refused the connection']);
});

scenario('template, min_status and sample, each exchanged by a reload', async (s) => {
  const origin = await s.origin((request, response) => { response.statusCode = Number(request.url.slice(1)); response.end('xyz'); });
  const settings = (log) => config(origin, { workers: 1, access_log: log });
  const berth = await s.berth(settings({ format: 'template', template: '{{{method}}} {target} {status} {body_bytes} "{user_agent}" {reason}' }));
  await s.request(berth, { path: '/200', headers: { 'user-agent': 'a"b' } });
  await s.request(berth, { path: '/404', method: 'PUT', body: '' });
  assert.deepEqual(await berth.accessLines(2), ['{GET} /200 200 3 "a\\x22b" -', '{PUT} /404 404 3 "-" -']);
  await berth.reload(settings({ format: 'template', template: '{status}', min_status: 400 }));
  for (const status of [200, 500, 301, 404, 200]) await s.request(berth, { path: `/${status}` });
  assert.deepEqual((await berth.accessLines(4)).slice(2), ['500', '404']);
  await berth.reload(settings({ format: 'template', template: '{status}', sample: 3 }));
  for (const status of [201, 202, 203, 500, 501, 502, 200]) await s.request(berth, { path: `/${status}` });
  assert.deepEqual((await berth.accessLines(6)).slice(4), ['203', '502']);
});
