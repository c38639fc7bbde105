// Requests that are written in an unusual way and mean something all the same: Node's app is asked what it has read.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { readAll } from './lib/origin.mjs';
import { scenario } from './lib/scenario.mjs';
import { within } from './lib/wait.mjs';

async function tell(request, response) {
  const body = (await readAll(request)).toString();
  response.end(JSON.stringify({ url: request.url, host: request.headers.host, version: request.httpVersion, body }));
}

const FORMS = [
  ['a Host with an empty port', 'GET /a HTTP/1.1\r\nHost: a.test:\r\n\r\n', { url: '/a', host: 'a.test:' }],
  ['a Host with a last dot', 'GET /a HTTP/1.1\r\nHost: a.test.\r\n\r\n', { url: '/a', host: 'a.test.' }],
  ['an absolute target without a path', 'GET http://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n', { url: '/', host: 'a.test' }],
  ['an absolute target with a query and no path', 'GET http://a.test?x=1 HTTP/1.1\r\nHost: a.test\r\n\r\n', { url: '/?x=1', host: 'a.test' }],
  ["an absolute target with its scheme's port", 'GET http://a.test:80/b HTTP/1.1\r\nHost: a.test\r\n\r\n', { url: '/b', host: 'a.test' }],
  ['HTTP/1.2', 'GET /a HTTP/1.2\r\nHost: a.test\r\n\r\n', { url: '/a', host: 'a.test', version: '1.1' }],
  ['chunk extensions', 'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5;a;b=c;d="e;\\"f"\r\nhello\r\n0;z\r\n\r\n', { url: '/', host: 'a.test', body: 'hello' }],
];

scenario('requests of an unusual form', async (s, t) => {
  const berth = await s.front(await s.origin(tell));
  for (const [name, bytes, expected] of FORMS) {
    await t.test(name, async () => {
      const wire = await s.wire(berth);
      // Two of them: what is behind the first is read right, too.
      wire.write(bytes + bytes);
      for (let i = 0; i < 2; ++i) {
        const got = await wire.response();
        assert.equal(got.status, 200, got.body);
        const seen = JSON.parse(got.body);
        for (const [key, value] of Object.entries(expected)) assert.equal(seen[key], value, key);
      }
      wire.destroy();
    });
  }
});

scenario('a last dot, an empty port: the route is that of the name', async (s) => {
  const inside = await s.origin((request, response) => response.end('inside'));
  const others = await s.origin((request, response) => response.end('others'));
  const berth = await s.berth({
    workers: 1,
    listeners: [{ address: '127.0.0.1:0' }],
    upstreams: { inside: { servers: [inside.address] }, others: { servers: [others.address] } },
    routes: [{ host: 'internal.example', upstream: 'inside' }, { host: '*', upstream: 'others' }],
    admin: { address: '127.0.0.1:0' },
  });
  const wire = await s.wire(berth);
  for (const host of ['internal.example.', 'Internal.Example.:80', 'internal.example:']) {
    wire.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assert.equal((await wire.response()).body, 'inside', host);
  }
  wire.write('GET / HTTP/1.1\r\nHost: internal.example..\r\n\r\n');
  assert.equal((await wire.response()).body, 'others');
});

scenario("HTTP/2: :authority with its scheme's port, and a Host without", async (s) => {
  const berth = await s.front(await s.origin(tell), { listener: { http2: { cleartext: true } } });
  const session = http2.connect(berth.url);
  s.client(() => session.destroy());
  const ask = (fields) => within(new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/x', ...fields });
    const answer = { status: 0, text: '' };
    stream.on('response', (headers) => { answer.status = headers[':status']; });
    stream.setEncoding('utf8').on('data', (piece) => { answer.text += piece; });
    stream.on('error', () => {}).on('close', () => resolve(answer));
  }), 'an answer');
  const same = await ask({ ':scheme': 'https', ':authority': 'a.test:443', host: 'a.test' });
  assert.equal(same.status, 200, same.text);
  assert.equal(JSON.parse(same.text).host, 'a.test:443');
  assert.equal((await ask({ ':scheme': 'https', ':authority': 'a.test:80', host: 'a.test' })).status, 400);
  assert.equal((await ask({ ':scheme': 'http', ':authority': 'a.test:80', host: 'a.test' })).status, 200);
});
