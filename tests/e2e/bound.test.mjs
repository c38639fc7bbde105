// The bound as the app server's kernel sees it while the app's event loop sleeps: whatever ends a request, no connection more
// than max_connections.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { runBerth } from './lib/berth.mjs';
import { Authority } from './lib/certificates.mjs';
import { serverSockets } from './lib/kernel.mjs';
import { get, giveUp, leavers, served, upstreams } from './lib/leavers.mjs';
import { config, scenario } from './lib/scenario.mjs';
import { sleeper } from './lib/sleeper.mjs';
import { until, within } from './lib/wait.mjs';

// The app wakes up, lets go of what nobody waits for, and serves.
async function wakesAndServes(s, berth, app, bound) {
  await app.wake();
  await served(s, berth);
  await berth.measured((m) => ['connecting', 'active', 'draining'].every((state) => upstreams(state)(m) === 0), 'every slot back');
  await until(async () => serverSockets(app.port).length === upstreams('idle')(await berth.metrics()), 'the app to have what Berth has');
  await app.kernel.neverMoreThan(bound);
  const { most, dropped } = await app.count();
  assert.ok(most <= bound && dropped === 0, `Node had ${most} and refused ${dropped}`);
}

const secure = async (s) => {
  const authority = new Authority(s.folder());
  const { cert, key } = authority.issue('127.0.0.1');
  return { app: { tls: { cert: String(cert), key: String(key) } }, upstream: { tls: { ca: authority.file } } };
};

for (const [how, leaver] of Object.entries(leavers)) {
  for (const over of ['TCP', 'TLS']) {
    scenario(`the app sleeps, 100 clients ${how}; over ${over}`, async (s) => {
      const settings = over === 'TLS' ? await secure(s) : {};
      const app = await sleeper(s, settings.app);
      const berth = await s.front(app, { listener: { http2: { cleartext: true } }, pool: { max_connections: 4 }, upstream: settings.upstream });
      await served(s, berth);
      await app.sleep();
      await giveUp(s, berth, 100, leaver);
      const m = await berth.metrics();
      assert.ok(m.sum('berth_upstream_connections') <= 4, 'in the books, too');
      await wakesAndServes(s, berth, app, 4);
    });
  }
}

scenario('the app sleeps, 100 clients leave whose half-close is served', async (s) => {
  const app = await sleeper(s);
  const berth = await s.front(app, { listener: { half_close: 'serve' }, pool: { max_connections: 4 } });
  await app.sleep();
  await giveUp(s, berth, 100);
  await wakesAndServes(s, berth, app, 4);
});

scenario('the app sleeps for 3 s: response_timeout', async (s) => {
  const app = await sleeper(s);
  const berth = await s.front(app, { pool: { max_connections: 4, queue_timeout: '300ms' }, upstream: { response_timeout: '300ms' } });
  await app.sleep();
  const end = Date.now() + 3000;
  const codes = new Set();
  await Promise.all(Array.from({ length: 4 }, async () => {
    while (Date.now() < end) codes.add((await s.request(berth, { agent: false })).status);
  }));
  for (const code of codes) assert.ok(code === 503 || code === 504, `${code}`);
  await wakesAndServes(s, berth, app, 4);
});

scenario('the app sleeps for 3 s: response_timeout over TLS, on connections that have served before', async (s) => {
  const { app: options, upstream } = await secure(s);
  const app = await sleeper(s, options);
  const berth = await s.front(app, { pool: { max_connections: 4, queue_timeout: '300ms' }, upstream: { ...upstream, response_timeout: '300ms' } });
  await Promise.all(Array.from({ length: 4 }, () => served(s, berth, '/after/50')));
  await app.sleep();
  const end = Date.now() + 3000;
  await Promise.all(Array.from({ length: 4 }, async () => {
    while (Date.now() < end) assert.notEqual((await s.request(berth, { agent: false })).status, 200);
  }));
  await wakesAndServes(s, berth, app, 4);
});

scenario('the app sleeps within its responses: idle_timeout', async (s) => {
  const app = await sleeper(s);
  const berth = await s.front(app, { pool: { max_connections: 4 }, upstream: { idle_timeout: '300ms' } });
  const readers = await Promise.all(Array.from({ length: 4 }, () => get(s, berth, '/events')));
  for (const one of readers) await one.upTo('data: 1');
  await app.sleep();
  await Promise.all(readers.map((one) => one.finish()));
  await giveUp(s, berth, 40);
  await wakesAndServes(s, berth, app, 4);
});

for (const over of ['TCP', 'TLS']) {
  scenario(`the app sleeps for 3 s: health checks that time out, over ${over}`, async (s) => {
    const settings = over === 'TLS' ? await secure(s) : {};
    const app = await sleeper(s, settings.app);
    const berth = await s.front(app, {
      pool: { max_connections: 2 }, upstream: { ...settings.upstream, health: { path: '/', interval: '100ms', timeout: '100ms', healthy_after: 1 } },
    });
    await until(async () => (await app.count()).requests >= 2, 'checks');
    await app.sleep();
    await sleep(3000);
    await wakesAndServes(s, berth, app, 2);
    await berth.measured((m) => m.sum('berth_upstream_server_up') === 1, 'the app is well again');
  });
}

scenario('connect_timeout while the TLS handshake waits', async (s) => {
  const { app: options, upstream } = await secure(s);
  const app = await sleeper(s, options);
  const berth = await s.front(app, { pool: { max_connections: 4, queue_timeout: '300ms' }, upstream: { ...upstream, connect_timeout: '100ms' } });
  await app.sleep();
  const end = Date.now() + 2000;
  await Promise.all(Array.from({ length: 4 }, async () => {
    while (Date.now() < end) assert.notEqual((await s.request(berth, { agent: false })).status, 200);
  }));
  await app.wake();
  await app.kernel.neverMoreThan(4);
});

// --- What an operator does meanwhile

// Eight connections, all idle; then the app falls asleep.
async function eightIdle(s, more) {
  const app = await sleeper(s, { keepAliveTimeout: 60_000 });
  const settings = (pool) => config(app, { pool: { max_connections: 8, max_idle: 8, ...more, ...pool } });
  const berth = await s.berth(settings());
  await Promise.all(Array.from({ length: 8 }, () => served(s, berth, '/after/200')));
  await berth.measured((m) => upstreams('idle')(m) === 8, 'eight idle connections');
  await app.sleep();
  return { app, berth, settings };
}

scenario('the app sleeps while a reload lowers the bound, and while another one raises it', async (s) => {
  const { app, berth, settings } = await eightIdle(s);
  await berth.reload(settings({ max_connections: 4 }));
  await giveUp(s, berth, 20);
  await berth.reload(settings());
  await giveUp(s, berth, 20);
  await wakesAndServes(s, berth, app, 8);
  await berth.reload(settings({ max_connections: 4 }));
  await Promise.all(Array.from({ length: 8 }, () => served(s, berth, '/after/20')));
  await until(() => serverSockets(app.port).length <= 4, 'the lower bound to hold');
});

scenario('the app sleeps while it leaves the configuration and comes back', async (s) => {
  const other = await s.origin();
  const { app, berth, settings } = await eightIdle(s);
  const { upstreams: { app: upstream } } = settings();
  await berth.reload({ ...settings(), upstreams: { app: { ...upstream, servers: [other.address] } } });
  await berth.reload(settings());
  await giveUp(s, berth, 40);
  await wakesAndServes(s, berth, app, 8);
});

scenario('the app sleeps while it is drained by hand, and while it is back', async (s) => {
  const { app, berth } = await eightIdle(s);
  const admin = ['--admin', `127.0.0.1:${berth.adminAddress.port}`];
  assert.equal((await runBerth(['drain', app.address, ...admin])).code, 0);
  assert.equal((await runBerth(['resume', app.address, ...admin])).code, 0);
  await giveUp(s, berth, 40);
  await wakesAndServes(s, berth, app, 8);
});

scenario('the app sleeps while idle connections expire', async (s) => {
  const { app, berth } = await eightIdle(s, { keepalive_timeout: '1s' });
  await berth.measured((m) => upstreams('idle')(m) === 0, 'their end');
  await giveUp(s, berth, 40);
  await wakesAndServes(s, berth, app, 8);
});

scenario('the app sleeps, Berth is told to stop: it does', async (s) => {
  const app = await sleeper(s);
  const berth = await s.front(app, { pool: { max_connections: 4 }, shutdown: { grace: '1s' } });
  await app.sleep();
  await giveUp(s, berth, 8);
  berth.kill('SIGTERM');
  assert.equal((await within(berth.exited, 'berth to end')).code, 0);
  await app.wake();
  await app.kernel.neverMoreThan(4);
});

// --- WebSockets

const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

async function websocket(s, berth) {
  const wire = await s.wire(berth);
  wire.write(UPGRADE);
  const { status } = await wire.response();
  return { wire, status };
}

for (const [how, leave] of [['reset', (wire) => wire.reset()], ['close', (wire) => wire.destroy()]]) {
  scenario(`max_upgraded holds at the app, whose loop sleeps while its clients ${how}`, async (s) => {
    const app = await sleeper(s);
    const berth = await s.front(app, { pool: { max_connections: 2, max_upgraded: 4 } });
    const open = [];
    for (let i = 0; i < 4; ++i) {
      open.push(await websocket(s, berth));
      assert.equal(open.at(-1).status, 101);
    }
    assert.equal((await websocket(s, berth)).status, 503);
    await app.sleep();
    for (const { wire } of open) leave(wire);
    await giveUp(s, berth, 40);
    const attempts = await Promise.all(Array.from({ length: 4 }, async () => {
      const wire = await s.wire(berth);
      return wire.write(UPGRADE);
    }));
    await sleep(100);
    for (const one of attempts) one.reset();
    await app.wake();
    await until(() => serverSockets(app.port).length <= 2, 'the app to let go');
    await app.kernel.neverMoreThan(2 + 4);
    await until(async () => (await websocket(s, berth)).status === 101, 'room for a WebSocket');
  });
}
