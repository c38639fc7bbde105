// The PROXY protocol: from those in front, and to the servers.
import assert from 'node:assert/strict';
import https from 'node:https';
import net from 'node:net';
import { Authority } from './lib/certificates.mjs';
import { config, scenario } from './lib/scenario.mjs';
import { within } from './lib/wait.mjs';

const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

function v2(source, sourcePort, destination, destinationPort, extra = Buffer.alloc(0)) {
  const ip = (text) => Buffer.from(text.split('.').map(Number));
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(sourcePort, 0);
  ports.writeUInt16BE(destinationPort, 2);
  const body = Buffer.concat([ip(source), ip(destination), ports, extra]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  return Buffer.concat([V2, Buffer.from([0x21, 0x11]), length, body]);
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const tellClient = (request, response) => response.end(request.headers['x-forwarded-for']);

function front(s, origin, from = ['127.0.0.1'], listener = {}) {
  return s.berth(config(origin, { listener: { proxy_protocol: { from }, handshake_timeout: '300ms', ...listener } }));
}

for (const [what, header, expected] of [
  ['version 1', 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n', '192.0.2.7'],
  ['version 1, IPv6', 'PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n', '2001:db8::7'],
  ['version 1, unknown', 'PROXY UNKNOWN\r\n', '127.0.0.1'],
  ['version 2', v2('192.0.2.7', 4711, '198.51.100.1', 443), '192.0.2.7'],
  ['version 2 with additions', v2('192.0.2.7', 4711, '198.51.100.1', 443, Buffer.from([4, 0, 3, 0, 0, 0])), '192.0.2.7'],
  ['version 2, local', Buffer.concat([V2, Buffer.from([0x20, 0, 0, 0])]), '127.0.0.1'],
]) {
  for (const slowly of [false, true]) {
    scenario(`${what}${slowly ? ', byte by byte' : ''}`, async (s) => {
      const berth = await front(s, await s.origin(tellClient), ['127.0.0.1'], { handshake_timeout: '10s' });
      const wire = await s.wire(berth);
      const all = Buffer.concat([Buffer.from(header), Buffer.from(GET)]);
      if (slowly) {
        for (const byte of all) {
          wire.write(Buffer.from([byte]));
          await new Promise((resolve) => setImmediate(resolve));
        }
      } else {
        wire.write(all);
      }
      assert.equal((await wire.response()).body, expected);
      wire.write(GET);
      assert.equal((await wire.response()).body, expected, 'for every request of the connection');
    });
  }
}

scenario('only from those who are trusted; from others it is no HTTP', async (s) => {
  const berth = await front(s, await s.origin(tellClient), ['10.0.0.0/8']);
  const forger = await s.wire(berth);
  forger.write(`PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n${GET}`);
  assert.equal((await forger.response()).status, 400);
  assert.equal((await s.request(berth)).body, '127.0.0.1');
});

scenario('a trusted peer must send one: anything else ends the connection, and is counted', async (s) => {
  const berth = await front(s, await s.origin(tellClient));
  for (const wrong of [GET, 'PROXY TCP4 1.2.3.4\r\n', 'PROXY TCP4 1.2.3.4 5.6.7.8 99999 1\r\n', 'PROXYTCP4', `PROXY TCP4 ${'1'.repeat(200)}`, '\r\n\r\n\0\r\nQUIX\n', Buffer.concat([V2, Buffer.from([0x31, 0x11, 0, 12])])]) {
    const wire = await s.wire(berth);
    wire.write(wrong);
    await wire.finish();
    assert.equal(wire.received.length, 0);
  }
  await berth.measured((m) => m.sum('berth_client_handshake_failures_total', { reason: 'bad_proxy_header' }) === 7);
  const silent = await s.wire(berth);
  await silent.finish();
  await berth.measured((m) => m.sum('berth_client_handshake_failures_total', { reason: 'handshake_timeout' }) === 1);
});

scenario('in front of TLS', async (s) => {
  const authority = new Authority(s.folder());
  const berth = await front(s, await s.origin(tellClient), ['127.0.0.0/8'], { tls: { certificates: [authority.issue('localhost').files] }, handshake_timeout: '10s' });
  const socket = net.connect(berth.address);
  s.client(() => socket.destroy());
  socket.write('PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n');
  const got = await within(new Promise((resolve, reject) => {
    const request = https.request({ socket, servername: 'localhost', ca: authority.pem, agent: false }, async (response) => {
      let body = '';
      for await (const piece of response) body += piece;
      resolve(body);
    });
    request.on('error', reject);
    request.end();
  }), 'an answer');
  assert.equal(got, '192.0.2.7');
});

scenario('to the servers, version 1: each connection is for one request of one client', async (s) => {
  const seen = [];
  const origin = await s.wireOrigin(async (wire) => {
    seen.push(await wire.upTo('\r\n'));
    await wire.request();
    wire.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const berth = await s.berth(config(origin, { upstream: { proxy_protocol: 'v1' } }));
  const ports = [];
  for (let i = 0; i < 3; ++i) {
    const got = await s.request(berth);
    assert.equal(got.body, 'ok');
    ports.push(got.port);
  }
  assert.deepEqual(seen, ports.map((port) => `PROXY TCP4 127.0.0.1 127.0.0.1 ${port} ${berth.address.port}\r\n`));
  await berth.measured((m) => m.sum('berth_upstream_connections_closed_total', { reason: 'proxy_protocol' }) === 3);
});

scenario('to the servers, version 2', async (s) => {
  let header;
  const origin = await s.wireOrigin(async (wire) => {
    header = await wire.bytes(28);
    await wire.request();
    wire.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const berth = await s.berth(config(origin, { upstream: { proxy_protocol: 'v2' } }));
  const got = await s.request(berth);
  assert.deepEqual(header, v2('127.0.0.1', got.port, '127.0.0.1', berth.address.port));
});
