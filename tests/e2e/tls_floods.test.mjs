// What clients do to TLS on purpose: each kind gets its alert and is counted by reason, costs no more than honest clients
// do, and nobody else notices.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { Authority } from './lib/certificates.mjs';
import { Content, Forger, alertName } from './lib/forger.mjs';
import { config, scenario } from './lib/scenario.mjs';
import { until, within } from './lib/wait.mjs';

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

// RFC 8446 section 6.
const Alert = { unexpected_message: 10, record_overflow: 22, handshake_failure: 40, decode_error: 50, protocol_version: 70, certificate_required: 116, no_application_protocol: 120 };

async function secure(s, { settings = {}, listener = {} } = {}) {
  const authority = new Authority(s.folder());
  const origin = await s.origin((request, response) => response.end('fine'));
  const certificates = [authority.issue('localhost').files];
  const berth = await s.berth(config(origin, { workers: 1, listener: { tls: { certificates, ...(typeof settings === 'function' ? settings(authority) : settings) }, ...listener } }));
  return { berth, ca: authority.pem };
}

// Someone who is served all the while, on one connection.
function neighbour(s, berth, ca) {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  s.client(() => agent.destroy());
  return () => within(new Promise((resolve, reject) => {
    const request = https.get({ ...berth.address, ca, servername: 'localhost', agent }, (response) => {
      response.setEncoding('utf8').on('data', (text) => {
        assert.equal(text, 'fine');
        resolve(request.reusedSocket);
      });
    }).on('error', reject);
  }), 'an answer for the neighbour');
}

const closed = (berth, reason, count) => berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason }) === count, `${count} closed by ${reason}`);
const failed = (berth, reason, count) => berth.measured((m) => m.sum('berth_client_handshake_failures_total', { reason }) === count, `${count} failed by ${reason}`);

// Nanoseconds of CPU time since its start.
function cpu(berth) {
  return readdirSync(`/proc/${berth.pid}/task`)
    .reduce((sum, task) => sum + Number(readFileSync(`/proc/${berth.pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]), 0);
}

// The alert in a record that is not encrypted: its description.
function alertIn(bytes) {
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
    if (bytes[at] === Content.alert) return bytes[at + 6];
  }
  return null;
}

// What Node sends first.
function clientHello(options = {}) {
  return within(new Promise((resolve) => {
    const sink = new Duplex({ read() {}, write(bytes) { resolve(bytes); } });
    tls.connect({ socket: sink, servername: 'localhost', ...options }).on('error', () => {});
  }), 'a ClientHello');
}

const handshake = (bytes) => Buffer.concat([Buffer.from([Content.handshake, 3, 1, bytes.length >> 8, bytes.length & 255]), bytes]);
const cases = [
  ['bytes that are no record', () => Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), 'tls_malformed', null],
  ['a message that is no ClientHello', () => handshake(Buffer.from('hello')), 'tls_malformed', Alert.unexpected_message],
  ['a ClientHello of noise', () => handshake(Buffer.from([1, 0, 0, 60, ...Array(60).fill(0xee)])), 'tls_malformed', Alert.decode_error],
  ['a ClientHello cut short', () => handshake(Buffer.from([1, 0, 0, 4, 3, 3, 0, 0])), 'tls_malformed', Alert.decode_error],
  ['a record that is too long', () => Buffer.concat([Buffer.from([Content.handshake, 3, 1, 0xff, 0xff]), Buffer.alloc(0xffff)]), 'tls_malformed', Alert.record_overflow],
  ['only an old version', () => clientHello({ maxVersion: 'TLSv1.2' }), 'tls_version', Alert.protocol_version],
  ['only a protocol that is not spoken', () => clientHello({ ALPNProtocols: ['acme-tls/1'] }), 'tls_alpn', Alert.no_application_protocol],
  ['only a curve that is not spoken', () => clientHello({ ecdhCurve: 'secp521r1' }), 'tls_cipher', Alert.handshake_failure],
];
for (const [name, bytes, reason, alert] of cases) {
  scenario(`a handshake of ${name}: ${reason}, and its alert`, async (s) => {
    const { berth } = await secure(s, { settings: { min_version: '1.3' } });
    const wire = await s.wire(berth);
    wire.write(await bytes());
    await wire.finish();
    assert.equal(alertIn(wire.received), alert);
    await failed(berth, reason, 1);
  });
}

scenario('no client certificate where one is required: certificate_required', async (s) => {
  const { berth, ca } = await secure(s, { settings: (authority) => ({ client_ca: authority.file, client_certificate: 'required' }) });
  const told = (version) => within(new Promise((resolve) => {
    tls.connect({ ...berth.address, ca, servername: 'localhost', minVersion: version, maxVersion: version }).on('error', (error) => resolve(alertName(error)));
  }), 'an alert');
  assert.equal(await told('TLSv1.3'), 'CERTIFICATE_REQUIRED');
  assert.equal(await told('TLSv1.2'), 'HANDSHAKE_FAILURE');
  await failed(berth, 'tls_client_certificate', 2);
});

// After the handshake. A flood goes on until the server has had enough.
const floods = [
  ['key updates', (f) => f.keyUpdate(), null],
  ['key updates that ask for one', (f) => f.keyUpdate(true), null],
  ['empty records', (f) => f.record(Content.data, []), 'UNEXPECTED_MESSAGE'],
  ['records of padding only', (f) => f.record(Content.data, [], 1000), 'UNEXPECTED_MESSAGE'],
];
for (const [name, make, alert] of floods) {
  scenario(`a flood of ${name} ends the connection: tls_broken`, async (s) => {
    const { berth, ca } = await secure(s);
    const ask = neighbour(s, berth, ca);
    await ask();
    const forger = await Forger.connect(berth.address, { ca });
    s.client(() => forger.destroy());
    // A few of them harm nobody.
    forger.write(make(forger), make(forger), forger.record(Content.data, Buffer.from(GET)));
    await until(() => forger.plain.endsWith('fine'), 'an answer after a few');
    let sent = 0;
    for (; !forger.closed && sent < 100_000; sent += 50) {
      forger.write(...Array.from({ length: 50 }, () => make(forger)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(forger.closed, `still open after ${sent}`);
    if (alert !== null && forger.alert !== null) assert.equal(forger.alert, alert);  // an RST may overtake it
    await closed(berth, 'tls_broken', 1);
    assert.equal(await ask(), true, 'the neighbour keeps its connection');
  });
}

// One record, and what the server says to it.
const breaches = [
  ['a damaged record', (f) => { const r = f.record(Content.data, Buffer.from(GET)); r[r.length - 1] ^= 1; return r; }, 'BAD_RECORD_MAC'],
  ['a second ClientHello', (f) => f.record(Content.handshake, [1, 0, 0, 1, 0]), 'UNEXPECTED_MESSAGE'],
  ['an unencrypted record', () => Buffer.from([Content.handshake, 3, 3, 0, 4, 0, 0, 0, 0]), 'UNEXPECTED_MESSAGE'],
  ['a record that is too long', () => Buffer.concat([Buffer.from([Content.data, 3, 3, 0x41, 0x18]), Buffer.alloc(0x4118)]), 'RECORD_OVERFLOW'],
  ['a key update that is none', (f) => f.record(Content.handshake, [24, 0, 0, 1, 7]), 'ILLEGAL_PARAMETER'],
];
for (const [protocol, name, make, alert] of breaches.flatMap((one) => [['http/1.1', ...one], ['h2', ...one]])) {
  scenario(`${protocol}: ${name} ends the connection with its alert: tls_broken`, async (s) => {
    const { berth, ca } = await secure(s);
    const forger = await Forger.connect(berth.address, { ca, protocol });
    s.client(() => forger.destroy());
    forger.write(make(forger));
    await until(() => forger.alert !== null, 'an alert');
    assert.equal(forger.alert, alert);
    await closed(berth, 'tls_broken', 1);
  });
}

scenario('TLS 1.2: whoever asks to negotiate again is refused, and closed if it goes on: tls_broken', async (s) => {
  const { berth, ca } = await secure(s);
  const ask = neighbour(s, berth, ca);
  await ask();
  const hello = (await clientHello({ maxVersion: 'TLSv1.2' })).subarray(5);  // without the record's head
  const forger = await Forger.connect(berth.address, { ca, version: 'TLSv1.2' });
  s.client(() => forger.destroy());
  forger.write(forger.record(Content.handshake, hello), forger.record(Content.data, Buffer.from(GET)));
  await until(() => forger.plain.endsWith('fine'), 'an answer all the same');
  assert.deepEqual(forger.alerts, ['1 100'], 'a warning: no_renegotiation');
  let sent = 0;
  for (; !forger.closed && sent < 100_000; sent += 50) {
    forger.write(...Array.from({ length: 50 }, () => forger.record(Content.handshake, hello)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(forger.closed, `still open after ${sent}`);
  await closed(berth, 'tls_broken', 1);
  assert.equal(await ask(), true, 'the neighbour keeps its connection');
});

// Connections one after the other, and what they cost.
async function costOf(berth, count, one) {
  const before = cpu(berth);
  for (let i = 0; i < count; ++i) await one();
  return cpu(berth) - before;
}

scenario('a flood of broken handshakes costs less than as many honest ones, and no memory', async (s) => {
  const { berth, ca } = await secure(s);
  const ask = neighbour(s, berth, ca);
  await ask();
  const honest = () => within(new Promise((resolve, reject) => {
    const socket = tls.connect({ ...berth.address, ca, servername: 'localhost', ALPNProtocols: ['http/1.1'] }, () => socket.end(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')));
    socket.resume().on('close', resolve).on('error', reject);
  }), 'an honest client');
  const noise = handshake(Buffer.from([1, 0, 0, 60, ...Array(60).fill(0xee)]));
  const hello = await clientHello();
  const hostile = (bytes) => () => within(new Promise((resolve) => {
    const socket = net.connect(berth.address, () => socket.end(bytes));
    socket.resume().on('close', resolve).on('error', () => {});
  }), 'a hostile client');
  const count = 200;
  await costOf(berth, 20, honest);
  const before = berth.resident();
  const price = await costOf(berth, count, honest);
  const costs = {};
  for (const [name, bytes] of Object.entries({ noise, hello, nothing: Buffer.alloc(0) })) {
    costs[name] = await costOf(berth, count, hostile(bytes)) / price;
    assert.equal(await ask(), true, 'the neighbour keeps its connection');
  }
  for (const [name, cost] of Object.entries(costs)) assert.ok(cost < 1, `${name}: ${cost.toFixed(2)} of an honest client`);
  await failed(berth, 'tls_client_left', 2 * count);
  if (!process.env.BERTH_SANITIZED) assert.ok(berth.resident() - before < 4 << 20, `${berth.resident() - before} bytes more`);
});

scenario('half handshakes hold little memory, are ended in time, and give it back', async (s) => {
  const { berth, ca } = await secure(s, { listener: { handshake_timeout: '2s' } });
  const ask = neighbour(s, berth, ca);
  await ask();
  const hello = await clientHello();
  const count = 400;
  const before = berth.resident();
  const wires = [];
  for (let i = 0; i < count; ++i) wires.push((await s.wire(berth)).write(i % 2 ? hello : hello.subarray(0, 100)));
  await berth.measured((m) => m.sum('berth_client_connections_accepted_total') === count + 1, 'all accepted');
  assert.equal(await ask(), true, 'the neighbour keeps its connection');
  if (!process.env.BERTH_SANITIZED) {
    // Some 46 KiB, of which OpenSSL's buffers for the first messages are 32.
    const each = (berth.resident() - before) / count;
    assert.ok(each < 64 << 10, `${each} bytes for each`);
  }
  await failed(berth, 'handshake_timeout', count);
  assert.equal(await ask(), true, 'the neighbour keeps its connection');
});
