// TLS on the side of the clients: real handshakes by Node, curl and openssl.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import path from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { WebSocket, WebSocketServer } from 'ws';
import { runBerth } from './lib/berth.mjs';
import { Authority } from './lib/certificates.mjs';
import { config, scenario } from './lib/scenario.mjs';
import { readAll } from './lib/origin.mjs';
import { within } from './lib/wait.mjs';

const run = promisify(execFile);

function front(s, origin, tlsSettings, more) {
  return s.berth(secured(origin, tlsSettings, more));
}

function secured(origin, tlsSettings, { listener, ...more } = {}) {
  return config(origin, { listener: { tls: tlsSettings, ...listener }, ...more });
}

// A request over TLS; {status, body, headers, socket facts}.
function ask(s, berth, { ca, servername = 'localhost', path = '/', method = 'GET', body, agent = false, headers, ...rest } = {}) {
  const result = new Promise((resolve, reject) => {
    const request = https.request({ ...berth.address, ca, servername, path, method, agent, headers, ...rest });
    request.on('error', reject);
    request.on('response', async (response) => {
      const { socket } = response;
      const facts = {
        protocol: socket.getProtocol(), resumed: socket.isSessionReused(),
        subject: socket.getPeerCertificate().subject?.CN, serial: socket.getPeerCertificate().serialNumber,
      };
      try {
        resolve({ status: response.statusCode, headers: response.headers, body: await readAll(response), ...facts });
      } catch (error) {
        reject(error);
      }
    });
    request.end(body);
  });
  return within(result, `${method} ${path} over TLS`);
}

// A TLS connection without HTTP.
function connect(s, berth, options) {
  const socket = tls.connect({ ...berth.address, servername: 'localhost', ALPNProtocols: ['http/1.1'], ...options });
  s.client(() => socket.destroy());
  return within(new Promise((resolve, reject) => socket.once('secureConnect', () => resolve(socket)).once('error', reject)), 'TLS handshake');
}

async function fails(promise, pattern) {
  await assert.rejects(promise, (error) => {
    assert.match(`${error.code} ${error.message}`, pattern);
    return true;
  });
}

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  scenario(`${version}: requests, bodies both ways, keep-alive`, async (s) => {
    const authority = new Authority(s.folder());
    const origin = await s.origin(async (request, response) => {
      const body = await readAll(request);
      response.end(`${request.method} ${request.url} ${request.headers['x-forwarded-proto']} ${body}`);
    });
    const berth = await front(s, origin, { certificates: [authority.issue('localhost').files] });
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    s.client(() => agent.destroy());
    const options = { ca: authority.pem, agent, minVersion: version, maxVersion: version };
    for (const size of [0, 1, 1000, 16384, 100_000, 1_000_000]) {
      const got = await ask(s, berth, { ...options, path: `/${size}`, method: 'POST', body: 'x'.repeat(size) });
      assert.equal(got.status, 200);
      assert.equal(got.body, `POST /${size} https ${'x'.repeat(size)}`);
      assert.equal(got.protocol, version);
    }
    const m = await berth.metrics();
    assert.equal(m.sum('berth_client_connections_accepted_total'), 1);
    assert.equal(m.sum('berth_client_tls_handshakes_total', { version: version.slice(4), resumed: 'false' }), 1);
    assert.equal(m.sum('berth_client_tls_handshakes_total'), 1);
  });
}

scenario('the certificate follows the name that the client asks for', async (s) => {
  const authority = new Authority(s.folder());
  const one = authority.issue(['one.test', 'uno.test']);
  const wild = authority.issue('*.wild.test');
  const exact = authority.issue('exact.wild.test');
  const berth = await front(s, await s.origin(), { certificates: [one.files, wild.files, exact.files] });
  const subject = async (servername) => (await ask(s, berth, { ca: authority.pem, servername, checkServerIdentity: () => undefined })).subject;
  assert.equal(await subject('one.test'), 'one.test');
  assert.equal(await subject('UNO.test'), 'one.test');
  assert.equal(await subject('a.wild.test'), '*.wild.test');
  assert.equal(await subject('exact.wild.test'), 'exact.wild.test');
  assert.equal(await subject('a.b.wild.test'), 'one.test', 'a wildcard is for one label');
  assert.equal(await subject('wild.test'), 'one.test');
  assert.equal(await subject('unknown.test'), 'one.test', 'the first one is for names that nobody knows');
  assert.equal(await subject(''), 'one.test', 'and for clients that name none');
});

scenario('TLS 1.3: AES-128 unless the client has no hardware for AES', async (s) => {
  const authority = new Authority(s.folder());
  const berth = await front(s, await s.origin(), { certificates: [authority.issue('localhost').files] });
  const chosen = async (ciphers) => (await connect(s, berth, { ca: authority.pem, ciphers, minVersion: 'TLSv1.3' })).getCipher().name;
  assert.equal(await chosen('TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'), 'TLS_AES_128_GCM_SHA256');
  assert.equal(await chosen('TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'), 'TLS_CHACHA20_POLY1305_SHA256', 'whoever puts it first has none');
  assert.equal(await chosen('TLS_AES_256_GCM_SHA384'), 'TLS_AES_256_GCM_SHA384');
});

scenario('curl and openssl s_client are served', async (s) => {
  const authority = new Authority(s.folder());
  const berth = await front(s, await s.origin((request, response) => response.end('hello')), { certificates: [authority.issue('localhost').files] });
  const curl = await run('curl', ['--silent', '--show-error', '--cacert', authority.file, '--resolve', `localhost:${berth.address.port}:127.0.0.1`, `https://localhost:${berth.address.port}/`]);
  assert.equal(curl.stdout, 'hello');
  const client = execFile('openssl', ['s_client', '-quiet', '-connect', `127.0.0.1:${berth.address.port}`, '-servername', 'localhost',
    '-CAfile', authority.file, '-verify_return_error']);
  s.client(() => client.kill('SIGKILL'));
  client.stdin.end('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  assert.match(await within(readAll(client.stdout), 's_client'), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nhello$/);
});

// A client that keeps its session: `first` connects, the other resumes.
async function resumes(s, berth, authority, version, session) {
  const socket = await connect(s, berth, { ca: authority.pem, minVersion: version, maxVersion: version, session });
  const reused = socket.isSessionReused();
  const ticket = new Promise((resolve) => socket.once('session', resolve));
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await within(new Promise((resolve) => socket.once('data', resolve)), 'an answer');
  const next = version === 'TLSv1.2' ? socket.getSession() : reused ? null : await within(ticket, 'a session ticket');
  socket.destroy();
  return { reused, session: next };
}

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  scenario(`${version}: sessions are resumed, by every worker, and after a reload`, async (s) => {
    const authority = new Authority(s.folder());
    const origin = await s.origin();
    const settings = secured(origin, { certificates: [authority.issue('localhost').files] }, { workers: 3 });
    const berth = await s.berth(settings);
    const { reused, session } = await resumes(s, berth, authority, version);
    assert.equal(reused, false);
    for (let i = 0; i < 12; ++i) assert.equal((await resumes(s, berth, authority, version, session)).reused, true);
    await berth.reload(settings);
    assert.equal((await resumes(s, berth, authority, version, session)).reused, true);
    const m = await berth.metrics();
    assert.equal(m.sum('berth_client_tls_handshakes_total', { version: version.slice(4), resumed: 'true' }), 13);
  });

  scenario(`${version}: without session_tickets nothing is resumed`, async (s) => {
    const authority = new Authority(s.folder());
    const berth = await front(s, await s.origin(), { certificates: [authority.issue('localhost').files], session_tickets: false });
    const socket = await connect(s, berth, { ca: authority.pem, minVersion: version, maxVersion: version });
    socket.on('session', () => assert.ok(version === 'TLSv1.2', 'a ticket'));
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await within(new Promise((resolve) => socket.once('data', resolve)), 'an answer');
    const again = await connect(s, berth, { ca: authority.pem, minVersion: version, maxVersion: version, session: socket.getSession() });
    assert.equal(again.isSessionReused(), false);
    const m = await berth.measured((now) => now.sum('berth_client_tls_handshakes_total') === 2);
    assert.equal(m.sum('berth_client_tls_handshakes_total', { resumed: 'true' }), 0);
  });
}

scenario('a session of one listener is of no use on another', async (s) => {
  const authority = new Authority(s.folder());
  const { files } = authority.issue('localhost');
  const origin = await s.origin();
  const settings = secured(origin, { certificates: [files] });
  settings.listeners.push({ address: '127.0.0.2:0', tls: { certificates: [files] } });
  const berth = await s.berth(settings);
  const { session } = await resumes(s, berth, authority, 'TLSv1.3');
  assert.equal((await resumes(s, berth, authority, 'TLSv1.3', session)).reused, true);
  assert.equal((await resumes(s, { address: berth.addresses[1] }, authority, 'TLSv1.3', session)).reused, false);
});

scenario('certificates are exchanged by SIGHUP under load; open connections keep the old one', async (s) => {
  const authority = new Authority(s.folder());
  const origin = await s.origin(async (request, response) => {
    const body = await readAll(request);
    response.end(`${request.url} ${body}`);
  });
  const old = authority.issue('localhost');
  const settings = secured(origin, { certificates: [old.files] });
  const berth = await s.berth(settings);

  const kept = new https.Agent({ keepAlive: true, maxSockets: 1 });
  s.client(() => kept.destroy());
  const before = await ask(s, berth, { ca: authority.pem, agent: kept });

  let stop = false;
  let served = 0;
  const serials = new Set();
  const load = Promise.all(Array.from({ length: 6 }, async (_, c) => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    s.client(() => agent.destroy());
    for (let i = 0; !stop; ++i) {
      const got = await ask(s, berth, { ca: authority.pem, path: `/${c}/${i}`, method: 'POST', body: `b${i}`, agent: i % 3 ? agent : false });
      assert.deepEqual([got.status, got.body], [200, `/${c}/${i} b${i}`]);
      serials.add(got.serial);
      ++served;
    }
  }));
  load.catch(() => {});
  const more = async (count) => {
    const goal = served + count;
    await within(Promise.race([load, (async () => { while (served < goal) await new Promise((r) => setTimeout(r, 1)); })()]), 'more requests');
  };
  await more(30);
  for (let i = 0; i < 3; ++i) {
    const next = authority.issue('localhost');
    assert.match(await berth.reload(secured(origin, { certificates: [next.files] })), /listeners: 1/);
    await more(30);
  }
  stop = true;
  await within(load, 'the load to end');
  assert.equal(serials.size, 4);
  const after = await ask(s, berth, { ca: authority.pem, agent: kept });
  assert.equal(after.serial, before.serial);
});

scenario('a certificate renewed in place is read again, although the configuration is the same', async (s) => {
  const authority = new Authority(s.folder());
  const pair = authority.issue('localhost');
  const berth = await front(s, await s.origin(), { certificates: [pair.files] });
  const before = await ask(s, berth, { ca: authority.pem });
  const renewed = authority.issue('localhost');
  writeFileSync(pair.files.certificate, renewed.cert);
  writeFileSync(pair.files.key, renewed.key);
  const line = await berth.reload();
  const { certificate } = pair.files;
  assert.ok(line.includes(`; listeners: 1 changed (127.0.0.1:0: tls.certificates); `) && line.includes(`; certificates: 1 changed (${certificate}); `), line);
  await berth.logged(new RegExp(`info reload: certificate ${certificate} has changed, valid until \\d{4}-\\d\\d-\\d\\d\n`));
  assert.deepEqual((await berth.status()).last_reload.certificates.changed, [certificate]);
  const after = await ask(s, berth, { ca: authority.pem });
  assert.notEqual(after.serial, before.serial);
});

scenario('a pair that does not match is refused with its file, and the old one stays', async (s) => {
  const authority = new Authority(s.folder());
  const good = authority.issue('localhost');
  const other = authority.issue('localhost');
  const origin = await s.origin();
  const berth = await front(s, origin, { certificates: [good.files] });
  const before = await ask(s, berth, { ca: authority.pem });
  const wrong = { certificate: good.files.certificate, key: other.files.key };
  await berth.reload(secured(origin, { certificates: [wrong] }));
  const [line] = await berth.logged(/rejected, the previous configuration stays in effect: \S+berth\.yaml:\d+:\d+: error: key.*\n/);
  assert.ok(line.includes(`key ${wrong.key} does not belong to certificate ${wrong.certificate}`), line);
  assert.equal((await ask(s, berth, { ca: authority.pem })).serial, before.serial);
  // And by `berth check`, with the line.
  const file = path.join(s.folder(), 'wrong.yaml');
  writeFileSync(file, `listeners:\n  - address: :8443\n    tls:\n      certificates:\n        - certificate: ${wrong.certificate}\n          key: ${wrong.key}\nupstreams: {app: {servers: [127.0.0.1:1]}}\n`);
  const check = await runBerth(['check', '-c', file]);
  assert.equal(check.code, 2);
  assert.match(check.stderr, /wrong\.yaml:6:16: error: key \S+ does not belong to certificate/);
});

scenario('check: files that are missing, empty or encrypted, names relative to the file, and what expires soon', async (s) => {
  const folder = s.folder();
  const authority = new Authority(folder);
  const soon = authority.issue('localhost', { days: 3 });
  const check = async (certificate, key) => {
    const file = path.join(folder, 'check.yaml');
    writeFileSync(file, JSON.stringify({ listeners: [{ address: ':8443', tls: { certificates: [{ certificate, key }] } }], upstreams: { app: { servers: ['127.0.0.1:1'] } } }, null, 1));
    return runBerth(['check', '-c', file], { cwd: '/' });
  };
  const names = { certificate: path.basename(soon.files.certificate), key: path.basename(soon.files.key) };
  const expires = await check(names.certificate, names.key);
  assert.equal(expires.code, 0, expires.stderr);
  assert.match(expires.stderr, /warning: certificate \S+ expires in [23] days/);
  assert.match((await check('nowhere.crt', names.key)).stderr, /nowhere\.crt cannot be read: No such file/);
  writeFileSync(path.join(folder, 'empty.crt'), '');
  assert.match((await check('empty.crt', names.key)).stderr, /empty\.crt holds no certificate in PEM form/);
  await run('openssl', ['pkey', '-in', soon.files.key, '-aes256', '-passout', 'pass:x', '-out', path.join(folder, 'secret.key')]);
  assert.match((await check(names.certificate, 'secret.key')).stderr, /secret\.key is encrypted/);
  assert.match((await check(names.key, names.key)).stderr, /holds no certificate/);
  assert.match((await check(names.certificate, names.certificate)).stderr, /holds no private key/);
});

scenario('flags: --certificate and --key', async (s) => {
  const authority = new Authority(s.folder());
  const { files } = authority.issue('localhost');
  const origin = await s.origin((request, response) => response.end(request.headers['x-forwarded-proto']));
  const berth = await s.berth(undefined, { args: ['run', '--from', '127.0.0.1:0', '--to', origin.address, '--certificate', files.certificate, '--key', files.key, '--admin', '127.0.0.1:0'] });
  assert.equal((await ask(s, berth, { ca: authority.pem })).body, 'https');
  assert.match((await runBerth(['run', '--from', ':0', '--to', ':1', '--key', 'x'])).stderr, /--key without --certificate/);
});

scenario('client certificates: none, a good one, a bad one; the subject is told and cannot be forged', async (s) => {
  const authority = new Authority(s.folder());
  const strangers = new Authority(s.folder(), 'Strangers');
  const server = authority.issue('localhost');
  const me = authority.issue('me', { subject: '/O=Acme\\, Inc./CN=me' });
  const stranger = strangers.issue('stranger');
  const origin = await s.origin((request, response) => response.end(request.headers['x-client-subject'] ?? 'nobody'));
  const settings = secured(origin, { certificates: [server.files], client_ca: authority.file, client_certificate: 'optional' });
  settings.listeners.push({ address: '127.0.0.2:0', tls: { certificates: [server.files], client_ca: authority.file, client_certificate: 'required' } });
  settings.listeners.push({ address: '127.0.0.3:0' });
  const berth = await s.berth(settings);
  const required = { address: berth.addresses[1] };
  const forged = { 'X-Client-Subject': 'CN=admin' };
  assert.equal((await ask(s, berth, { ca: authority.pem, headers: forged })).body, 'nobody');
  assert.equal((await ask(s, berth, { ca: authority.pem, headers: forged, ...me })).body, 'CN=me,O=Acme\\, Inc.');
  assert.equal((await ask(s, required, { ca: authority.pem, ...me })).body, 'CN=me,O=Acme\\, Inc.');
  assert.equal((await s.request(berth, { listener: 2, headers: forged })).body, 'nobody', 'nor on a listener without TLS');
  await fails(ask(s, berth, { ca: authority.pem, ...stranger }), /alert|ECONNRESET|EPIPE/);
  await fails(ask(s, required, { ca: authority.pem }), /alert|ECONNRESET|EPIPE/);
  const m = await berth.measured((now) => now.sum('berth_client_handshake_failures_total', { reason: 'tls_client_certificate' }) === 2);
  assert.equal(m.sum('berth_client_handshake_failures_total'), 2);
  // What is told about a resumed session's client is the same.
  const agent = new https.Agent({ keepAlive: false, maxCachedSessions: 10 });
  s.client(() => agent.destroy());
  for (const resumed of [false, true]) {
    const got = await ask(s, berth, { ca: authority.pem, ...me, agent });
    assert.deepEqual([got.body, got.resumed], ['CN=me,O=Acme\\, Inc.', resumed]);
  }
});

scenario('handshakes that fail are counted by reason, and harm nobody', async (s) => {
  const authority = new Authority(s.folder());
  const origin = await s.origin((request, response) => response.end('fine'));
  const berth = await front(s, origin, { certificates: [authority.issue('localhost').files], min_version: '1.3' }, { listener: { handshake_timeout: '300ms' } });
  const failed = (reason, count = 1) => berth.measured((m) => m.sum('berth_client_handshake_failures_total', { reason }) === count, reason);
  const kept = new https.Agent({ keepAlive: true, maxSockets: 1 });
  s.client(() => kept.destroy());
  assert.equal((await ask(s, berth, { ca: authority.pem, agent: kept })).body, 'fine');

  await fails(connect(s, berth, { ca: authority.pem, maxVersion: 'TLSv1.2' }), /version|alert/);
  await failed('tls_version');
  await fails(connect(s, berth, { ca: authority.pem, ALPNProtocols: ['acme-tls/1'] }), /alpn|alert|protocol/i);
  await failed('tls_alpn');
  await fails(run('curl', ['--silent', `https://localhost:${berth.address.port}/`]), /^60 /);  // does not trust the authority
  await failed('tls_client_refused');
  const wire = await s.wire(berth);
  wire.write('\x16\x03\x01\x00\x05hello');
  await wire.finish();
  await failed('tls_malformed');
  const garbage = await s.wire(berth);
  garbage.write(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
  await garbage.finish();
  await failed('tls_malformed', 2);
  const silent = await s.wire(berth);
  await silent.finish();
  await failed('handshake_timeout');
  const half = await s.wire(berth);
  half.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]));
  await half.finish();
  await failed('handshake_timeout', 2);
  const gone = await s.wire(berth);
  gone.write(Buffer.from([0x16, 0x03, 0x01]));
  gone.end();
  await gone.finish();
  await failed('tls_client_left');
  const reset = await s.wire(berth);
  reset.write(Buffer.from([0x16, 0x03, 0x01]));
  reset.reset();
  await failed('tls_client_left', 2);

  assert.equal((await ask(s, berth, { ca: authority.pem, agent: kept })).body, 'fine');
});

for (const text of ['GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', 'OPTIONS * HTTP/1.1\r\n', 'P']) {
  scenario(`plain HTTP to the TLS port is answered in clear: ${JSON.stringify(text)}`, async (s) => {
    const authority = new Authority(s.folder());
    const berth = await front(s, await s.origin(), { certificates: [authority.issue('localhost').files] });
    const wire = await s.wire(berth);
    wire.write(text);
    const response = await wire.response();
    assert.equal(response.status, 400);
    assert.match(response.get('proxy-status'), /plain_http_to_tls/);
    wire.end();
    assert.equal(await wire.finish(), 'FIN');
    const m = await berth.metrics();
    assert.equal(m.sum('berth_client_handshake_failures_total', { reason: 'plain_http_to_tls' }), 1);
    assert.equal(m.sum('berth_client_connections_accepted_total'), 1);
  });
}

scenario('redirect_to_https and HSTS', async (s) => {
  const authority = new Authority(s.folder());
  const origin = await s.origin((request, response) => {
    response.setHeader('strict-transport-security', 'max-age=1');
    response.end('app');
  });
  const settings = secured(origin, { certificates: [authority.issue('localhost').files] }, { listener: { hsts: { max_age: '1h', include_subdomains: true } } });
  settings.listeners.push({ address: '127.0.0.2:0', redirect_to_https: true }, { address: '127.0.0.3:0', redirect_to_https: 8443 });
  settings.routes = [{ path: '/app', upstream: 'app' }, { path: '/own', upstream: 'app', response_headers: { set: { 'Strict-Transport-Security': 'max-age=7' } } }];
  const berth = await s.berth(settings);
  const go = async (listener, method, where, host) => {
    const got = await s.request(berth, { listener, method, path: where, headers: host ? { host } : {} });
    return [got.status, got.headers.location, got.headers['strict-transport-security']];
  };
  assert.deepEqual(await go(1, 'GET', '/a/b?c=d', 'example.com:8080'), [308, 'https://example.com/a/b?c=d', undefined]);
  assert.deepEqual(await go(1, 'POST', '/', 'example.com'), [308, 'https://example.com/', undefined]);
  assert.deepEqual(await go(2, 'GET', '/x', '[::1]:80'), [308, 'https://[::1]:8443/x', undefined]);
  assert.deepEqual(await go(2, 'OPTIONS', '*', 'a.b'), [308, 'https://a.b:8443/', undefined]);
  const nowhere = await s.wire({ address: berth.addresses[1] });
  nowhere.write('GET / HTTP/1.0\r\n\r\n');
  assert.equal((await nowhere.response()).status, 400, 'without Host there is nowhere to redirect to');
  const hsts = async (where) => (await ask(s, berth, { ca: authority.pem, path: where })).headers['strict-transport-security'];
  assert.equal(await hsts('/app'), 'max-age=3600; includeSubDomains');
  assert.equal(await hsts('/nowhere'), 'max-age=3600; includeSubDomains', 'on errors too');
  assert.equal(await hsts('/own'), 'max-age=7', 'a rule of the route has the last word');
  assert.equal(origin.requests.length, 2);
});

scenario('a slow reader of a large body over TLS: memory stays bounded, every byte arrives', async (s) => {
  const authority = new Authority(s.folder());
  const size = 64 << 20;
  const chunk = Buffer.alloc(1 << 20, 'q');
  const origin = await s.origin(async (request, response) => {
    response.setHeader('content-length', size);
    for (let sent = 0; sent < size; sent += chunk.length) {
      if (!response.write(chunk)) await new Promise((resolve) => response.once('drain', resolve));
    }
    response.end();
  });
  const berth = await front(s, origin, { certificates: [authority.issue('localhost').files] });
  const socket = await connect(s, berth, { ca: authority.pem });
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  const hash = createHash('sha1');
  let body = -1;
  let head = '';
  for await (const bytes of socket) {
    let piece = bytes;
    if (body < 0) {
      head += bytes.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) continue;
      piece = Buffer.from(head.slice(end + 4), 'latin1');
      body = 0;
    }
    body += piece.length;
    hash.update(piece);
    if (Math.random() < 0.01) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(body, size);
  assert.equal(hash.digest('hex'), createHash('sha1').update(Buffer.alloc(size, 'q')).digest('hex'));
  berth.hasStayedBelow(100 << 20);
});

scenario('WebSocket over TLS', async (s) => {
  const authority = new Authority(s.folder());
  const origin = await s.origin();
  const sockets = new WebSocketServer({ server: origin.server });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  const berth = await front(s, origin, { certificates: [authority.issue('localhost').files] });
  const socket = new WebSocket(`wss://localhost:${berth.address.port}/`, { ca: authority.pem });
  s.client(() => socket.terminate());
  await within(new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject)), 'WebSocket');
  for (const size of [1, 100, 70_000, 1_000_000]) {
    const echo = new Promise((resolve) => socket.once('message', resolve));
    socket.send(Buffer.alloc(size, 'w'));
    assert.equal((await within(echo, 'the echo')).length, size);
  }
});

scenario('HTTP/2 is agreed on by ALPN, HTTP/1.1 where it is switched off or the client knows no better', async (s) => {
  const authority = new Authority(s.folder());
  const { files } = authority.issue('localhost');
  const origin = await s.origin(async (request, response) => {
    const body = await readAll(request);
    response.end(`${request.headers['x-forwarded-proto']} ${body}`);
  });
  const settings = secured(origin, { certificates: [files] }, { listener: { hsts: { max_age: '1h' } } });
  settings.listeners.push({ address: '127.0.0.2:0', tls: { certificates: [files] }, http2: 'off' });
  const berth = await s.berth(settings);
  const session = http2.connect(`https://localhost:${berth.address.port}`, { ca: authority.pem });
  s.client(() => session.destroy());
  const answers = await within(Promise.all(Array.from({ length: 50 }, (_, i) => new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/', ':method': 'POST' });
    const got = { text: '' };
    stream.on('response', (headers) => Object.assign(got, { status: headers[':status'], hsts: headers['strict-transport-security'] }));
    stream.setEncoding('utf8').on('data', (text) => { got.text += text; }).on('end', () => resolve(got)).on('error', reject);
    stream.end(`${i}`.repeat(1000));
  }))), 'fifty streams');
  answers.forEach((got, i) => assert.deepEqual(got, { text: `https ${`${i}`.repeat(1000)}`, status: 200, hsts: 'max-age=3600' }));
  const alpn = async (to, ALPNProtocols) => (await connect(s, to, { ca: authority.pem, ALPNProtocols })).alpnProtocol;
  assert.equal(await alpn(berth, ['h2', 'http/1.1']), 'h2');
  assert.equal(await alpn(berth, ['http/1.1', 'h2']), 'h2');
  assert.equal(await alpn(berth, ['http/1.1']), 'http/1.1');
  assert.equal(await alpn({ address: berth.addresses[1] }, ['h2', 'http/1.1']), 'http/1.1');
});
