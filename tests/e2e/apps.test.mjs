// Applications and clients as people have them: express, ws, socket.io, undici, http.Agent, EventSource-like streams.
import assert from 'node:assert/strict';
import http from 'node:http';
import express from 'express';
import { Server as SocketIo } from 'socket.io';
import { io } from 'socket.io-client';
import { Pool } from 'undici';
import WebSocket, { WebSocketServer } from 'ws';
import { config, scenario, target } from './lib/scenario.mjs';
import { deferred, within } from './lib/wait.mjs';

function event(emitter, name) {
  return within(new Promise((resolve, reject) => {
    emitter.once(name, resolve);
    if (name !== 'error' && emitter.once) emitter.once('error', reject);
    if (name !== 'connect_error' && emitter.io) emitter.once('connect_error', reject);
  }), `the event ${name}`);
}

// An app server with an express app or none, and what else is mounted on it.
async function appServer(s, app = (request, response) => response.end('ok')) {
  return s.origin(app);
}

scenario('express: JSON in and out, redirects, status codes, cookies, streams, behind a trusted proxy', async (s) => {
  const app = express();
  app.set('trust proxy', 'loopback');
  app.use(express.json());
  app.post('/echo', (request, response) => response.json({ got: request.body, ip: request.ip, proto: request.protocol, host: request.hostname }));
  app.get('/go', (request, response) => response.redirect('/there'));
  app.get('/cookie', (request, response) => response.cookie('a', '1').cookie('b', '2').send('ok'));
  app.get('/error', () => { throw new Error('boom'); });
  app.use((error, request, response, next) => response.status(500).send(error.message));
  const berth = await s.front(await appServer(s, app));

  const echo = await s.request(berth, { path: '/echo', headers: { 'content-type': 'application/json', host: 'shop.example' }, body: '{"a":[1,2]}' });
  assert.deepEqual(JSON.parse(echo.body), { got: { a: [1, 2] }, ip: '127.0.0.1', proto: 'http', host: 'shop.example' });
  const go = await s.request(berth, { path: '/go' });
  assert.deepEqual([go.status, go.headers.location], [302, '/there']);
  assert.deepEqual((await s.request(berth, { path: '/cookie' })).headers['set-cookie'], ['a=1; Path=/', 'b=2; Path=/']);
  assert.deepEqual([(await s.request(berth, { path: '/error' })).status, (await s.request(berth, { path: '/none' })).status], [500, 404]);
  const bad = await s.request(berth, { path: '/echo', headers: { 'content-type': 'application/json' }, body: '{' });
  assert.equal(bad.status, 500);
});

scenario('express: conditional requests are answered with 304 by the app', async (s) => {
  const app = express();
  app.get('/', (request, response) => response.send('the same as ever'));
  const berth = await s.front(await appServer(s, app));
  const first = await s.request(berth);
  const second = await s.request(berth, { headers: { 'if-none-match': first.headers.etag } });
  assert.deepEqual([first.status, second.status, second.body], [200, 304, '']);
});

scenario('undici Pool with pipelining: 400 requests, each with its own answer', async (s) => {
  const origin = await appServer(s, (request, response) => response.end(request.url));
  const berth = await s.front(origin, { pool: { max_connections: 4 } });
  const pool = new Pool(berth.url, { connections: 4, pipelining: 10 });
  s.client(() => pool.close());
  const bodies = await Promise.all(Array.from({ length: 400 }, async (_, i) => {
    const { body, statusCode } = await pool.request({ path: `/${i}`, method: 'GET' });
    assert.equal(statusCode, 200);
    return body.text();
  }));
  bodies.forEach((body, i) => assert.equal(body, `/${i}`));
  assert.ok(origin.mostOpen <= 4);
  const m = await berth.metrics();
  assert.ok(m.sum('berth_client_connections_accepted_total') <= 4);
});

scenario('http.Agent with keep-alive: connections are used again on both sides', async (s) => {
  const origin = await appServer(s);
  const berth = await s.front(origin, { workers: 1 });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  s.client(() => agent.destroy());
  for (let i = 0; i < 50; ++i) assert.equal((await s.request(berth, { agent })).status, 200);
  const m = await berth.metrics();
  assert.equal(m.sum('berth_client_connections_accepted_total'), 1);
  assert.equal(m.sum('berth_upstream_connections_opened_total'), 1);
  assert.equal(m.sum('berth_upstream_acquisitions_total', { source: 'idle' }), 49);
});

scenario('server-sent events: each is seen before the next is sent', async (s) => {
  let next = deferred();
  const origin = await appServer(s, async (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.flushHeaders();
    for (let i = 0; i < 20; ++i) {
      response.write(`data: ${i}\n\n`);
      await next.promise;  // until the client has seen it
      next = deferred();
    }
    response.end();
  });
  const berth = await s.front(origin);
  const response = await within(new Promise((resolve, reject) => http.get({ ...target(berth), agent: s.agent }, resolve).on('error', reject)), 'response');
  let seen = 0;
  let text = '';
  await within((async () => {
    for await (const piece of response.setEncoding('utf8')) {
      text += piece;
      while (text.includes('\n\n')) {
        assert.equal(text.slice(0, text.indexOf('\n\n')), `data: ${seen++}`);
        text = text.slice(text.indexOf('\n\n') + 2);
        next.resolve();
      }
    }
  })(), () => `events; ${seen} have come`);
  assert.equal(seen, 20);
});

scenario('headers alone, before there is any body', async (s) => {
  const release = deferred();
  const origin = await appServer(s, async (request, response) => {
    response.flushHeaders();
    await release.promise;
    response.end('body');
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match((await wire.head()).line, /200 OK/);
  release.resolve();
  await wire.upTo('body\r\n0\r\n\r\n');
});

// --- WebSocket

function webSocketApp(origin) {
  const sockets = new WebSocketServer({ server: origin.server });
  sockets.on('connection', (socket, request) => {
    socket.on('message', (data, binary) => socket.send(binary ? data : `${request.url} ${data}`, { binary }));
  });
  return sockets;
}

async function webSocket(s, berth, path = '/socket') {
  const socket = new WebSocket(`${berth.url.replace('http', 'ws')}${path}`);
  s.client(() => socket.terminate());
  await event(socket, 'open');
  return socket;
}

async function ask(socket, text) {
  const answer = event(socket, 'message');
  socket.send(text);
  return String(await answer);
}

scenario('ws: messages of all sizes both ways, ping and pong, a clean end', async (s) => {
  const origin = await appServer(s);
  webSocketApp(origin);
  const berth = await s.front(origin);
  const socket = await webSocket(s, berth, '/chat?room=1');
  assert.equal(await ask(socket, 'hello'), '/chat?room=1 hello');
  for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
    const sent = Buffer.alloc(size, 'x');
    const answer = event(socket, 'message');
    socket.send(sent);
    assert.deepEqual(await answer, sent);
  }
  const pong = event(socket, 'pong');
  socket.ping();
  await pong;
  const m = await berth.metrics();
  assert.equal(m.sum('berth_client_connections', { state: 'upgraded' }), 1);
  assert.equal(m.sum('berth_upstream_connections', { state: 'upgraded' }), 1);
  socket.close(1000);
  assert.equal(await event(socket, 'close'), 1000);
  await origin.seen((o) => o.open.size === 0, 'the tunnel has ended');
});

scenario('ws: an upgraded connection leaves the bound of the pool', async (s) => {
  const origin = await appServer(s);
  webSocketApp(origin);
  const berth = await s.front(origin, { pool: { max_connections: 1 } });
  const sockets = [await webSocket(s, berth), await webSocket(s, berth), await webSocket(s, berth)];
  assert.equal((await s.request(berth)).status, 200);
  for (const socket of sockets) assert.equal(await ask(socket, 'x'), '/socket x');
});

scenario('ws: max_upgraded is a budget; 503 beyond it, and it comes back', async (s) => {
  const origin = await appServer(s);
  webSocketApp(origin);
  const berth = await s.front(origin, { pool: { max_upgraded: 2 } });
  const first = await webSocket(s, berth);
  await webSocket(s, berth);
  const third = new WebSocket(`${berth.url.replace('http', 'ws')}/`);
  const [, response] = await within(new Promise((resolve) => third.on('unexpected-response', (...how) => resolve(how)).on('error', () => {})), 'the refusal');
  assert.deepEqual([response.statusCode, response.headers['retry-after']], [503, '1']);
  third.terminate();
  first.close();
  await event(first, 'close');
  await berth.measured((m) => m.sum('berth_upstream_connections', { state: 'upgraded' }) === 1);
  assert.equal(await ask(await webSocket(s, berth), 'again'), '/socket again');
});

scenario('ws: the app refuses the upgrade with 401; the connections live on', async (s) => {
  const origin = await appServer(s);
  origin.server.on('upgrade', (request, socket) => {
    socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  const upgrade = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
  for (let i = 0; i < 2; ++i) {
    wire.write(upgrade);
    assert.deepEqual([(await wire.response()).status], [401]);
  }
});

scenario('ws: what the client sends behind its request belongs to the tunnel', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    await wire.head();
    wire.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfrom the server;');
    wire.write(await wire.bytes(5));
    wire.end();
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\nearly');
  const got = await wire.response();
  assert.deepEqual([got.status, got.get('upgrade'), got.get('connection')], [101, 'echo', 'upgrade']);
  await wire.upTo('from the server;early');
  assert.equal(await wire.finish(), 'FIN');
});

scenario('ws: half-closing works in both directions of a tunnel', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    await wire.head();
    wire.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    await wire.finish();
    wire.write(`got ${wire.received}`).end();
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  await wire.response();
  wire.write('everything').end();
  await wire.upTo('got everything');
  assert.equal(await wire.finish(), 'FIN');
});

scenario('ws: upgrade_timeout ends a silent tunnel', async (s) => {
  const origin = await appServer(s);
  webSocketApp(origin);
  const berth = await s.front(origin, { upstream: { upgrade_timeout: '1s' } });
  const socket = await webSocket(s, berth);
  await event(socket, 'close');
});

scenario('ws: sockets live through SIGHUP, even when their server leaves the configuration', async (s) => {
  const one = await appServer(s), two = await appServer(s);
  webSocketApp(one);
  const settings = config([one, two], { upstream: { balance: 'round_robin' } });
  const berth = await s.berth(settings);
  const sockets = [];
  webSocketApp(two);
  while (one.open.size === 0) {
    sockets.push(await webSocket(s, berth));
  }
  await berth.reload({ ...settings, upstreams: { app: { servers: [two.address] } } });
  for (const socket of sockets) assert.equal(await ask(socket, 'alive'), '/socket alive');
  await berth.reload(settings);
  for (const socket of sockets) assert.equal(await ask(socket, 'alive'), '/socket alive');
});

for (const transport of ['websocket', 'polling']) {
  scenario(`socket.io over ${transport}: requests with acknowledgement, broadcasts`, async (s) => {
    const origin = await appServer(s);
    const server = s.behind(new SocketIo(origin.server));
    server.on('connection', (socket) => {
      socket.on('add', (a, b, answer) => answer(a + b));
      socket.on('shout', (text) => server.emit('heard', text));
      socket.on('binary', (data, answer) => answer(data));
    });
    const berth = await s.front(origin);
    const clients = await Promise.all([1, 2, 3].map(async () => {
      const client = io(berth.url, { transports: [transport], forceNew: true, reconnection: false });
      s.client(() => client.disconnect());
      await event(client, 'connect');
      return client;
    }));
    for (const client of clients) assert.equal(await client.timeout(10_000).emitWithAck('add', 2, 3), 5);
    const heard = clients.map((client) => event(client, 'heard'));
    clients[0].emit('shout', 'hello all');
    assert.deepEqual(await within(Promise.all(heard), 'the broadcast'), ['hello all', 'hello all', 'hello all']);
    const data = Buffer.alloc(100_000, 7);
    assert.deepEqual(Buffer.from(await clients[1].timeout(10_000).emitWithAck('binary', data)), data);
    if (transport === 'websocket') {
      assert.equal((await berth.metrics()).sum('berth_client_connections', { state: 'upgraded' }), 3);
    }
  });
}

scenario('socket.io upgrades from polling to websocket by itself', async (s) => {
  const origin = await appServer(s);
  const server = s.behind(new SocketIo(origin.server));
  server.on('connection', (socket) => socket.on('add', (a, b, answer) => answer(a + b)));
  const berth = await s.front(origin);
  const client = io(berth.url, { forceNew: true, reconnection: false });
  s.client(() => client.disconnect());
  await event(client, 'connect');
  if (client.io.engine.transport.name !== 'websocket') await event(client.io.engine, 'upgrade');
  assert.equal(await client.timeout(10_000).emitWithAck('add', 2, 3), 5);
  assert.equal((await berth.metrics()).sum('berth_client_connections', { state: 'upgraded' }), 1);
});
