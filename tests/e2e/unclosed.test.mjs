// Servers that do not let go of a connection when Berth does: bare sockets, so that nothing closes unless the test says so.
import assert from 'node:assert/strict';
import { KernelWatch, serverSockets } from './lib/kernel.mjs';
import { get, served } from './lib/leavers.mjs';
import { scenario } from './lib/scenario.mjs';
import { deferred, until, within } from './lib/wait.mjs';

// `handler(wire, nth, asked)`: it calls `asked` when it has read the request from which the client shall leave. A client that
// leaves before that leaves Berth with a connection on which nothing was sent, and the next request goes there.
async function bare(s, handler) {
  const asked = deferred();
  const origin = await s.wireOrigin((wire, nth) => handler(wire, nth, asked.resolve));
  origin.asked = asked.promise;
  origin.kernel = s.behind(await KernelWatch.start(origin.server.address().port));
  return origin;
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const forever = () => new Promise(() => {});

// As a good server does, once it has read a request.
async function serves(wire) {
  for (;;) {
    wire.write(OK);
    await wire.request();
  }
}

scenario('a server that never answers the half-close: reset after close_timeout, then the slot is free', async (s) => {
  const origin = await bare(s, async (wire, nth, asked) => {
    await wire.request();
    if (nth > 0) return serves(wire);
    asked();
    await forever();
  });
  const berth = await s.front(origin, { pool: { max_connections: 1, queue_timeout: '30s', close_timeout: '500ms' } });
  const gone = await get(s, berth, '/');
  await within(origin.asked, 'the request');
  const began = performance.now();
  gone.reset();
  assert.equal((await served(s, berth)).body, 'ok');
  assert.ok(performance.now() - began >= 490, `after ${performance.now() - began} ms`);
  assert.ok(origin.wires[0].ended, 'asked to close');
  await until(() => serverSockets(origin.server.address().port).length === 1, 'then reset');
  await origin.kernel.neverMoreThan(1);
});

scenario('a server that answers the half-close with a whole response, late, and waits for more', async (s) => {
  let late;
  const origin = await bare(s, async (wire, nth, asked) => {
    await wire.request();
    if (nth > 0) return serves(wire);
    asked();
    late = wire;
    await wire.finish();
    wire.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate');
    await forever();
  });
  const berth = await s.front(origin, { pool: { max_connections: 1, queue_timeout: '30s', close_timeout: '500ms' } });
  const gone = await get(s, berth, '/');
  await within(origin.asked, 'the request');
  gone.reset();
  for (let i = 0; i < 3; ++i) assert.equal((await served(s, berth)).body, 'ok');
  assert.equal(late.available, 0, 'nothing was sent on it any more');
  await origin.kernel.neverMoreThan(1);
});

scenario('a server that answers the half-close with a whole response, late, and closes', async (s) => {
  const origin = await bare(s, async (wire, nth, asked) => {
    await wire.request();
    if (nth > 0) return serves(wire);
    asked();
    await wire.finish();
    wire.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate').end();
  });
  const berth = await s.front(origin, { pool: { max_connections: 1, queue_timeout: '30s', close_timeout: '20s' } });
  const gone = await get(s, berth, '/');
  await within(origin.asked, 'the request');
  gone.reset();
  for (let i = 0; i < 3; ++i) assert.equal((await served(s, berth)).body, 'ok');
  await origin.kernel.neverMoreThan(1);
});

scenario('a server that goes on sending after the half-close: reset after close_timeout', async (s) => {
  const origin = await bare(s, async (wire, nth, asked) => {
    await wire.request();
    if (nth > 0) return serves(wire);
    asked();
    wire.write('HTTP/1.1 200 OK\r\n\r\n');
    const block = Buffer.alloc(1 << 16, 'x');
    const more = () => { while (!wire.closed && wire.socket.write(block)); };
    wire.socket.on('drain', () => setImmediate(more));
    more();
    await forever();
  });
  const berth = await s.front(origin, { pool: { max_connections: 1, queue_timeout: '30s', close_timeout: '500ms' } });
  const gone = await get(s, berth, '/');
  await gone.bytes(1000);
  gone.destroy();
  assert.equal((await served(s, berth)).body, 'ok');
  await origin.kernel.neverMoreThan(1);
  berth.hasStayedBelow(64 << 20);
});

scenario('a server that sends FIN instead of an answer and reads on: the request goes elsewhere', async (s) => {
  const origin = await bare(s, async (wire) => {
    await wire.request();
    wire.write(OK);
    await wire.request();
    wire.end();
    await forever();
  });
  const other = await s.origin();
  const berth = await s.front([origin, other], { workers: 1, upstream: { balance: 'round_robin' }, pool: { max_connections: 2 } });
  for (let i = 0; i < 20; ++i) assert.equal((await s.request(berth)).status, 200);
  await origin.kernel.neverMoreThan(2);
});

scenario('a server that answers with garbage and does not close', async (s) => {
  const origin = await bare(s, async (wire) => {
    await wire.request();
    wire.write('garbage\r\n\r\n');
    await forever();
  });
  const berth = await s.front(origin, { pool: { max_connections: 2, queue_timeout: '50ms', close_timeout: '500ms' }, upstream: { retry: { attempts: 1 } } });
  for (let i = 0; i < 20; ++i) assert.ok([502, 503].includes((await s.request(berth, { agent: false })).status));
  await origin.kernel.neverMoreThan(2);
});

scenario('a server that answers before it has read the body, and does not close', async (s) => {
  const origin = await bare(s, async (wire) => {
    await wire.head();
    wire.pause();
    wire.write('HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n');
    await forever();
  });
  const berth = await s.front(origin, { pool: { max_connections: 2, queue_timeout: '50ms', close_timeout: '500ms' }, upstream: { request_body: 'stream' } });
  for (let i = 0; i < 10; ++i) {
    const wire = await s.wire(berth);
    wire.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n').write(Buffer.alloc(1 << 20));
    assert.ok([413, 503].includes((await wire.response()).status));
    wire.reset();
  }
  await origin.kernel.neverMoreThan(2);
});
