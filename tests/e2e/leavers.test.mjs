// Clients that leave cancel their requests and hold nobody up; connections that have had their time make room for the next.
import assert from 'node:assert/strict';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { get, leavers, served, upstreams } from './lib/leavers.mjs';
import { scenario } from './lib/scenario.mjs';
import { sleeper } from './lib/sleeper.mjs';
import { until } from './lib/wait.mjs';

scenario('130 clients open an event stream, read one event and leave', async (s) => {
  const app = await sleeper(s);
  const berth = await s.front(app);
  await Promise.all(Array.from({ length: 130 }, async () => {
    const wire = await get(s, berth, '/events');
    await wire.upTo('data: 1\n\n');
    wire.destroy();
  }));
  await until(async () => (await app.count()).streams === 0, 'the app to be rid of the streams', 5000);
  await served(s, berth);
  await app.kernel.neverMoreThan(128);
});

scenario('40 requests that were given up hold nobody up', async (s) => {
  const app = await sleeper(s);
  const berth = await s.front(app, { pool: { max_connections: 2 } });
  for (const one of await Promise.all(Array.from({ length: 40 }, () => get(s, berth, '/held')))) one.destroy();
  await served(s, berth);
  await until(async () => {
    const { requests, cancelled } = await app.count();
    return requests - cancelled === 1;
  }, 'all that reached the app to be cancelled');
  await app.kernel.neverMoreThan(2);
});

for (const [how, leaver] of Object.entries(leavers)) {
  scenario(`clients that ${how} cancel their requests`, async (s) => {
    const app = await sleeper(s);
    const berth = await s.front(app, { listener: { http2: { cleartext: true } }, pool: { max_connections: 2 } });
    for (let i = 1; i <= 3; ++i) {
      const leave = await Promise.all([leaver(s, berth), leaver(s, berth)]);
      await until(async () => (await app.count()).requests === 2 * i, 'the app to have them');
      for (const one of leave) one();
      await until(async () => (await app.count()).cancelled === 2 * i, 'the app to hear that nobody waits');
    }
    await berth.measured((m) => upstreams('active')(m) === 0 && upstreams('draining')(m) === 0, 'the slots are back');
    await app.kernel.neverMoreThan(2);
  });
}

scenario('half_close: serve answers a client that has shut down its sending side', async (s) => {
  const app = await sleeper(s);
  const berth = await s.front(app, { listener: { half_close: 'serve' } });
  const wire = (await get(s, berth, '/after/100')).end();
  assert.equal((await wire.response()).body, 'late');
});

scenario('a client leaves in the middle of a response that Node has buffered whole', async (s) => {
  const body = Buffer.alloc(16 << 20, 'x');
  const origin = await s.origin((request, response) => response.end(request.url === '/big' ? body : 'small'));
  const berth = await s.front(origin, { pool: { max_connections: 1, queue_timeout: '30s' } });
  const wire = await get(s, berth, '/big');
  await wire.bytes(1000);
  wire.destroy();
  assert.equal((await served(s, berth, '/small')).body, 'small');
});

// --- Berth's own closes

scenario('keepalive_requests against Node\'s own server.maxConnections: 3,000 POSTs, none fails', async (s) => {
  const app = await sleeper(s, { maxConnections: 4 });
  const berth = await s.front(app, { access_log: 'off', pool: { max_connections: 4, keepalive_requests: 20, queue_timeout: '30s' } });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
  s.client(() => agent.destroy());
  const answers = {};
  let left = 3000;
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (left-- > 0) {
      const { status, body } = await s.request(berth, { agent, body: 'four' }).catch((error) => ({ status: error.code ?? error.message }));
      answers[`${status} ${body}`] = (answers[`${status} ${body}`] ?? 0) + 1;
    }
  }));
  const { most, dropped } = await app.count();
  assert.deepEqual({ answers, dropped }, { answers: { '200 4': 3000 }, dropped: 0 });
  assert.ok(most <= 4, `${most}`);
  await app.kernel.neverMoreThan(4);
});

for (const [what, pool] of [
  ['keepalive_timeout', { keepalive_timeout: '20ms' }],
  ['keepalive_time', { keepalive_time: '1s' }],
  ['max_idle', { max_idle: 1 }],
  ['keepalive_requests: 1', { keepalive_requests: 1 }],
]) {
  scenario(`bursts of POSTs against Node's own server.maxConnections, none fails: ${what}`, async (s) => {
    const app = await sleeper(s, { maxConnections: 4 });
    const berth = await s.front(app, { access_log: 'off', pool: { max_connections: 4, queue_timeout: '30s', ...pool } });
    const end = Date.now() + (pool.keepalive_time ? 2500 : 0);
    for (let burst = 0; burst < 50 || Date.now() < end; ++burst) {
      const got = await Promise.all(Array.from({ length: 8 }, () => s.request(berth, { body: 'four' })));
      for (const { status, body, headers } of got) assert.deepEqual([status, body], [200, '4'], `burst ${burst}: ${headers['proxy-status']}`);
      await sleep(burst % 2 === 0 ? 20 : 0);
    }
    assert.equal((await app.count()).dropped, 0);
    await app.kernel.neverMoreThan(4);
  });
}
