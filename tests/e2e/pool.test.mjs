// The bound of the pool and its queue, over all workers.
import assert from 'node:assert/strict';
import http from 'node:http';
import { scenario, target } from './lib/scenario.mjs';
import { deferred, within } from './lib/wait.mjs';

// An app server that answers nothing until it is told to.
async function held(s) {
  const waiting = [];
  const origin = await s.origin((request, response) => waiting.push({ request, response }));
  origin.waiting = waiting;
  origin.answerNext = () => {
    const { request, response } = waiting.shift();
    response.end(request.url);
  };
  return origin;
}

// A request on a connection of its own, sent and not yet answered.
async function ask(s, berth, path) {
  const wire = await s.wire(berth);
  wire.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  return wire;
}

const queued = (count) => (m) => m.sum('berth_upstream_queue_length') === count;

scenario('2,000 clients over max_connections: 8 on 2 workers: the server never sees a ninth', { timeout: 120_000 }, async (s) => {
  let inHand = 0, mostInHand = 0;
  const origin = await s.origin((request, response) => {
    mostInHand = Math.max(mostInHand, ++inHand);
    setImmediate(() => {
      --inHand;
      response.end(request.url);
    });
  });
  const berth = await s.front(origin, {
    access_log: 'off',
    listener: { backlog: 4096 },
    pool: { max_connections: 8, queue_size: 4000, queue_timeout: '60s' },
  });
  const agents = [];
  const ready = deferred();
  let connected = 0;
  const answers = Array.from({ length: 2000 }, async (_, i) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    const sent = http.request({ ...target(berth), agent, path: `/${i}` });
    sent.on('socket', (socket) => socket.once('connect', () => { if (++connected === 2000) ready.resolve(); }));
    const first = new Promise((resolve, reject) => sent.on('error', reject).on('response', async (response) => {
      let body = '';
      for await (const piece of response) body += piece;
      resolve({ status: response.statusCode, body });
    }));
    await ready.promise;  // all at once
    sent.end();
    const second = first.then(() => s.request(berth, { agent, path: `/${i}/again` }));
    for (const [answer, path] of [[await first, `/${i}`], [await second, `/${i}/again`]]) {
      assert.deepEqual([answer.status, answer.body], [200, path]);
    }
  });
  s.client(() => agents.forEach((agent) => agent.destroy()));
  await within(Promise.all(answers), 'all answers', 100_000);
  assert.equal(origin.requests.length, 4000);
  assert.equal(origin.connections, 8, 'eight connections, ever');
  assert.ok(mostInHand <= 8);
  const m = await berth.metrics();
  assert.equal(m.sum('berth_upstream_connections_opened_total'), 8);
  assert.ok(m.sum('berth_upstream_queue_wait_seconds_count') > 0);
});

scenario('the bound holds while connections are closed and opened all the time', async (s) => {
  let inHand = 0, most = 0;
  const origin = await s.origin((request, response) => {
    most = Math.max(most, ++inHand);
    setImmediate(() => {
      --inHand;
      response.end('ok');
    });
  });
  const berth = await s.front(origin, { access_log: 'off', pool: { max_connections: 3, keepalive_requests: 3, queue_timeout: '30s' } });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 50 });
  s.client(() => agent.destroy());
  const got = await Promise.all(Array.from({ length: 600 }, () => s.request(berth, { agent })));
  assert.ok(got.every((one) => one.status === 200));
  assert.ok(most <= 3, `${most} at once`);
  assert.ok(origin.connections >= 200);
});

for (const workers of [1, 2]) {
  scenario(`first come, first served, with ${workers === 1 ? 'one worker' : 'two workers'}`, async (s) => {
    const origin = await held(s);
    const berth = await s.front(origin, { workers, pool: { max_connections: 1, queue_timeout: '30s' } });
    const wires = [await ask(s, berth, '/0')];
    await origin.seen((o) => o.waiting.length === 1);
    for (let i = 1; i <= 12; ++i) {
      wires.push(await ask(s, berth, `/${i}`));
      await berth.measured(queued(i), `${i} wait`);
    }
    for (let i = 0; i <= 12; ++i) {
      await origin.seen((o) => o.waiting.length === 1);
      assert.equal(origin.waiting[0].request.url, `/${i}`);
      origin.answerNext();
      assert.equal((await wires[i].response()).body, `/${i}`);
    }
    assert.equal(origin.connections, 1);
  });
}

scenario('queue_size is full: 503 with Retry-After at once, while the others wait on', async (s) => {
  const origin = await held(s);
  const berth = await s.front(origin, { pool: { max_connections: 1, queue_size: 2, queue_timeout: '30s' } });
  const wires = [await ask(s, berth, '/0')];
  await origin.seen((o) => o.waiting.length === 1);
  for (let i = 1; i <= 2; ++i) {
    wires.push(await ask(s, berth, `/${i}`));
    await berth.measured(queued(i));
  }
  const refused = await ask(s, berth, '/3');
  const got = await refused.response();
  assert.deepEqual([got.status, got.get('retry-after')], [503, '1']);
  assert.match(got.get('proxy-status'), /details="queue_full"/);
  assert.match(got.get('connection'), /keep-alive/);
  const m = await berth.metrics();
  assert.equal(m.sum('berth_upstream_queue_rejected_total', { reason: 'full' }), 1);
  assert.equal(m.sum('berth_client_requests_refused_total', { reason: 'queue_full' }), 1);
  assert.equal(m.sum('berth_upstream_queue_length'), 2);
  for (let i = 0; i <= 2; ++i) {
    await origin.seen((o) => o.waiting.length === 1);
    origin.answerNext();
    assert.equal((await wires[i].response()).body, `/${i}`);
  }
});

scenario('queue_size: 0 lets nobody wait', async (s) => {
  const origin = await held(s);
  const berth = await s.front(origin, { workers: 1, pool: { max_connections: 1, queue_size: 0 } });
  const first = await ask(s, berth, '/0');
  await origin.seen((o) => o.waiting.length === 1);
  assert.equal((await s.request(berth)).status, 503);
  origin.answerNext();
  assert.equal((await first.response()).status, 200);
});

scenario('queue_timeout: 503 with Retry-After, the server never sees the request', async (s) => {
  const origin = await held(s);
  const berth = await s.front(origin, { pool: { max_connections: 1, queue_timeout: '100ms' } });
  const first = await ask(s, berth, '/0');
  await origin.seen((o) => o.waiting.length === 1);
  const began = Date.now();
  const got = await s.request(berth, { path: '/1' });
  assert.ok(Date.now() - began >= 95);
  assert.deepEqual([got.status, got.headers['retry-after']], [503, '1']);
  const m = await berth.metrics();
  assert.equal(m.sum('berth_upstream_queue_rejected_total', { reason: 'timeout' }), 1);
  origin.answerNext();
  assert.equal((await first.response()).status, 200);
  assert.equal(origin.requests.length, 1);
});

scenario('a waiting client that resets leaves the queue, and the next one moves up', async (s) => {
  const origin = await held(s);
  const berth = await s.front(origin, { pool: { max_connections: 1, queue_timeout: '30s' } });
  const wires = [await ask(s, berth, '/0')];
  await origin.seen((o) => o.waiting.length === 1);
  for (let i = 1; i <= 3; ++i) {
    wires.push(await ask(s, berth, `/${i}`));
    await berth.measured(queued(i));
  }
  wires[1].reset();
  const m = await berth.measured(queued(2));
  assert.equal(m.sum('berth_upstream_queue_rejected_total', { reason: 'client_gone' }), 1);
  for (const i of [0, 2, 3]) {
    await origin.seen((o) => o.waiting.length === 1);
    origin.answerNext();
    assert.equal((await wires[i].response()).body, `/${i}`);
  }
  assert.deepEqual(origin.requests.map((r) => r.url), ['/0', '/2', '/3']);
});

scenario('a client that leaves while it is being connected for costs nobody their place', async (s) => {
  const origin = await held(s);
  const berth = await s.front(origin, { pool: { max_connections: 1, queue_timeout: '30s' } });
  for (let round = 0; round < 20; ++round) {
    const gone = await ask(s, berth, '/gone');
    gone.reset();
    const stays = await ask(s, berth, `/${round}`);
    await origin.seen((o) => o.waiting.some(({ request }) => request.url === `/${round}`));
    origin.waiting.splice(0, origin.waiting.length - 1);
    origin.answerNext();
    assert.equal((await stays.response()).body, `/${round}`);
    stays.destroy();
  }
});

scenario('an idle connection goes to whichever worker needs it', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin, { pool: { max_connections: 1 } });
  // Each on a new connection, so that the kernel chooses the worker.
  for (let i = 0; i < 60; ++i) assert.equal((await s.request(berth, { agent: false })).status, 200);
  assert.equal(origin.connections, 1);
  const m = await berth.metrics();
  assert.ok(m.sum('berth_upstream_acquisitions_total', { source: 'handover' }) > 0);
  assert.equal(m.sum('berth_upstream_acquisitions_total'), 60);
});

scenario('max_idle: no more connections stay than that', async (s) => {
  const origin = await held(s);
  const berth = await s.front(origin, { pool: { max_connections: 10, max_idle: 2 } });
  const wires = [];
  for (let i = 0; i < 10; ++i) wires.push(await ask(s, berth, `/${i}`));
  await origin.seen((o) => o.waiting.length === 10);
  while (origin.waiting.length > 0) origin.answerNext();
  for (const wire of wires) await wire.response();
  await origin.seen((o) => o.open.size === 2, 'two are left');
  await berth.measured((m) => m.sum('berth_upstream_connections_closed_total', { reason: 'max_idle' }) === 8);
});

scenario('a slow reader holds no connection', async (s) => {
  const body = Buffer.alloc(12 << 20, 'x');
  const origin = await s.origin((request, response) => response.end(request.url === '/big' ? body : 'small'));
  const berth = await s.front(origin, { pool: { max_connections: 1, queue_timeout: '30s' }, upstream: { response_buffer: '16MiB' } });
  const wire = await s.wire(berth);
  wire.pause();
  wire.write('GET /big HTTP/1.1\r\nHost: a\r\n\r\n');
  await berth.measured((m) => m.sum('berth_upstream_connections', { state: 'idle' }) === 1, 'the response is read ahead');
  assert.equal((await s.request(berth, { path: '/small' })).body, 'small');
  wire.resume();
  assert.equal((await wire.response()).body.length, body.length);
});

scenario('beyond response_buffer the server is held back', async (s) => {
  let sent = 0;
  const origin = await s.origin((request, response) => {
    const block = Buffer.alloc(1 << 20, 'x');
    const more = () => {
      while (sent < 200 && response.write(block)) ++sent;
      if (sent >= 200) response.end();
      else response.once('drain', () => { ++sent; more(); });
    };
    more();
  });
  const berth = await s.front(origin, { upstream: { response_buffer: '64KiB' } });
  const wire = await s.wire(berth);
  wire.pause();
  wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  // Nothing moves any more: two looks in a row see the same.
  let before = -1;
  await berth.measured((m) => {
    const now = m.sum('berth_client_sent_bytes_total');
    const still = now > 0 && now === before;
    before = now;
    return still;
  });
  assert.ok(sent < 100, `${sent} MiB have left the server`);
  berth.hasStayedBelow(64 << 20);
  wire.destroy();
});

scenario('several servers: each has its own bound', async (s) => {
  const origins = [await held(s), await held(s)];
  const berth = await s.front(origins, { pool: { max_connections: 2, queue_timeout: '30s' } });
  const wires = [];
  for (let i = 0; i < 6; ++i) wires.push(await ask(s, berth, `/${i}`));
  await berth.measured(queued(2));
  for (const origin of origins) await origin.seen((o) => o.waiting.length === 2);
  for (let answered = 0; answered < 6; ++answered) {
    const ready = origins.find((o) => o.waiting.length > 0) ?? await Promise.race(origins.map((o) => o.seen((one) => one.waiting.length > 0 && one)));
    ready.answerNext();
    await new Promise(setImmediate);
  }
  for (const [i, wire] of wires.entries()) assert.equal((await wire.response()).body, `/${i}`);
  for (const origin of origins) assert.ok(origin.connections <= 2);
});
