// The rules of keep-alive on both sides, and the race that they are there for.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { scenario, target } from './lib/scenario.mjs';
import { within } from './lib/wait.mjs';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

// --- The client's side

scenario('Keep-Alive: timeout= is one second below the real one', async (s) => {
  const berth = await s.front(await s.origin(), { listener: { keepalive_timeout: '30s' } });
  const wire = await s.wire(berth);
  wire.write(GET);
  const got = await wire.response();
  assert.deepEqual([got.get('connection'), got.get('keep-alive')], ['keep-alive', 'timeout=29']);
});

scenario('keepalive_timeout of a second or less promises nothing', async (s) => {
  const berth = await s.front(await s.origin(), { listener: { keepalive_timeout: '900ms' } });
  const wire = await s.wire(berth);
  wire.write(GET);
  assert.equal((await wire.response()).get('keep-alive'), undefined);
});

scenario('keepalive_requests of a listener: the last response says close', async (s) => {
  const berth = await s.front(await s.origin(), { listener: { keepalive_requests: 10 } });
  const wire = await s.wire(berth);
  let count = 0, last;
  do {
    wire.write(GET);
    last = await wire.response();
    ++count;
  } while (last.get('connection') !== 'close');
  assert.ok(count >= 9 && count <= 10, `${count} responses`);
  assert.equal(await wire.finish(), 'FIN');
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'keepalive_requests' }) === 1);
});

scenario('keepalive_requests: 1 is no keep-alive', async (s) => {
  const berth = await s.front(await s.origin(), { listener: { keepalive_requests: 1 } });
  const wire = await s.wire(berth);
  wire.write(GET);
  assert.equal((await wire.response()).get('connection'), 'close');
  assert.equal(await wire.finish(), 'FIN');
});

scenario('keepalive_time of a listener: an old connection says close after the response in hand', async (s) => {
  const berth = await s.front(await s.origin(), { listener: { keepalive_time: '1s' } });
  const wire = await s.wire(berth);
  const began = Date.now();
  for (;;) {
    wire.write(GET);
    if ((await wire.response()).get('connection') === 'close') break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(Date.now() - began >= 850, `${Date.now() - began} ms`);
  await wire.finish();
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'keepalive_time' }) === 1);
});

scenario('Connection: close from the client, in any spelling', async (s) => {
  const berth = await s.front(await s.origin());
  for (const field of ['Connection: close', 'connection: CLOSE', 'Connection: x, close', 'Connection: keep-alive\r\nConnection: close']) {
    const wire = await s.wire(berth);
    wire.write(`GET / HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`);
    assert.equal((await wire.response()).get('connection'), 'close', field);
    assert.equal(await wire.finish(), 'FIN');
  }
});

scenario('Node\'s agent never meets a connection that Berth has just closed', async (s) => {
  // The agent honours the advertised time, which is a second below the real one.
  const berth = await s.front(await s.origin(), { listener: { keepalive_timeout: '2s' } });
  const agent = new http.Agent({ keepAlive: true });
  s.client(() => agent.destroy());
  await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    await s.request(berth, { agent, body: 'x' });
    await new Promise((resolve) => setTimeout(resolve, 1700 + i * 30));
    assert.equal((await s.request(berth, { agent, body: 'x' })).status, 200);
  }));
});

// --- The server's side

scenario('keepalive_requests of a pool: connections are replaced in time', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin, { workers: 1, pool: { keepalive_requests: 20 } });
  for (let i = 0; i < 200; ++i) assert.equal((await s.request(berth)).status, 200);
  assert.ok(origin.connections >= 10 && origin.connections <= 12, `${origin.connections} connections`);
});

scenario('keepalive_requests: 1 of a pool uses each connection once', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin, { workers: 1, pool: { keepalive_requests: 1 } });
  for (let i = 0; i < 5; ++i) await s.request(berth);
  assert.equal(origin.connections, 5);
});

scenario('keepalive_time of a pool: an old connection is not used again', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin, { workers: 1, pool: { keepalive_time: '1s' } });
  const began = Date.now();
  while (origin.connections < 2) {
    await s.request(berth);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(Date.now() - began >= 850, `${Date.now() - began} ms`);
});

scenario('Connection: close from the server is honoured', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    await wire.request();
    // And then it does not close: Berth must.
    wire.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
  });
  const berth = await s.front(origin, { workers: 1 });
  for (let i = 0; i < 3; ++i) assert.equal((await s.request(berth)).body, 'ok');
  assert.equal(origin.connections, 3);
  await origin.seen((o) => o.open.size === 0, 'all are closed');
  await berth.measured((m) => m.sum('berth_upstream_connections_closed_total', { reason: 'close_requested' }) === 3);
});

for (const [field, uses] of [['Keep-Alive: timeout=0', 1], ['Keep-Alive: timeout=5, max=0', 1], ['keep-alive: TIMEOUT=5', 3], ['Keep-Alive: timeout=5, max=1000', 3], ['Keep-Alive: nonsense', 3], ['Keep-Alive: timeout=99999999999999999999', 3]]) {
  scenario(`${field}: ${uses === 1 ? 'not used again' : 'used again'}`, async (s) => {
    const origin = await s.wireOrigin(async (wire) => {
      for (;;) {
        await wire.request();
        wire.write(`HTTP/1.1 200 OK\r\n${field}\r\nContent-Length: 2\r\n\r\nok`);
      }
    });
    const berth = await s.front(origin, { workers: 1 });
    for (let i = 0; i < 3; ++i) assert.equal((await s.request(berth)).body, 'ok');
    assert.equal(origin.connections, uses === 1 ? 3 : 1);
  });
}

scenario('max= that counts down to nothing is honoured', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    for (let max = 3; max >= 0; --max) {
      await wire.request();
      wire.write(`HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=${max}\r\nContent-Length: 2\r\n\r\nok`);
    }
  });
  const berth = await s.front(origin, { workers: 1 });
  for (let i = 0; i < 8; ++i) assert.equal((await s.request(berth)).body, 'ok');
  assert.equal(origin.connections, 2);
});

scenario('a fixed keepalive_timeout', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin, { pool: { keepalive_timeout: '300ms' } });
  await s.request(berth);
  await origin.seen((o) => o.open.size === 0, 'Berth closes');
  await berth.measured((m) => m.sum('berth_upstream_connections_closed_total', { reason: 'keepalive_timeout' }) === 1);
});

scenario('Node\'s own hints: Berth closes first, at half of 1 s and at 4 of 5 s', async (s) => {
  // Who closes first? On the side that is closed, the socket sees the other's FIN.
  const servers = await Promise.all([1000, 5000].map(async (keepAlive) => {
    const origin = await s.origin();
    origin.server.keepAliveTimeout = keepAlive;
    origin.server.keepAliveTimeoutBuffer = 0;  // newer Nodes add a second of their own
    return origin;
  }));
  await Promise.all(servers.map(async (origin, i) => {
    const berth = await s.front(origin);
    let fin = 0;
    origin.server.on('connection', (socket) => socket.on('end', () => ++fin));
    const began = Date.now();
    await s.request(berth);
    await origin.seen((o) => o.open.size === 0, 'the connection closes');
    const took = Date.now() - began;
    assert.equal(fin, 1, 'Berth closed it');
    assert.ok(took >= [480, 3980][i], `${took} ms`);
    await berth.measured((m) => m.sum('berth_upstream_connections_closed_total', { reason: 'learned_limit' }) === 1);
    const m = await berth.metrics();
    assert.equal(m.sum('berth_upstream_connections_closed_total', { reason: 'server_closed_idle' }), 0);
    assert.equal(m.sum('berth_upstream_learned_keepalive_seconds', { source: 'hint' }), [0.5, 4][i]);
  }));
});

scenario('a server that announces nothing: Berth learns when it closes, and is earlier from then on', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    let timer;
    for (;;) {
      await wire.request();
      clearTimeout(timer);
      wire.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      timer = setTimeout(() => wire.destroy(), 600);
    }
  });
  const berth = await s.front(origin, { workers: 1 });
  for (let i = 0; i < 2; ++i) {
    await s.request(berth);
    await origin.seen((o) => o.open.size === 0, 'the server closes');
    await berth.measured((m) => m.sum('berth_upstream_connections', { state: 'idle' }) === 0);
  }
  assert.equal((await berth.metrics()).sum('berth_upstream_idle_age_at_peer_close_seconds_count'), 2);
  let fin = 0;
  origin.server.on('connection', (socket) => socket.on('end', () => ++fin));
  await s.request(berth);
  await origin.seen((o) => o.open.size === 0, 'somebody closes');
  assert.equal(fin, 1, 'Berth was first');
  const m = await berth.metrics();
  const learned = m.sum('berth_upstream_learned_keepalive_seconds', { source: 'observed' });
  assert.ok(learned > 0 && learned < 0.6, `${learned} s`);
  await berth.logged(/warn keepalive: app\/\S+ closes idle connections after \d+ms: they are not reused after \d+ms/);
});

// --- The race

const app = path.join(path.dirname(fileURLToPath(import.meta.url)), 'lib/race_app.mjs');

async function raceApps(s, keepAlive, count, mode) {
  const child = spawn(process.execPath, [app, String(keepAlive), String(count), ...(mode ? [mode] : [])], { stdio: ['ignore', 'pipe', 'inherit'] });
  s.behind({ close: () => { child.kill('SIGKILL'); } });
  const [extra, ...ports] = await within(new Promise((resolve) => child.stdout.once('data', (text) => resolve(String(text).trim().split(' ')))), 'the ports of the apps');
  return { extra: Number(extra), servers: ports.map((port) => `127.0.0.1:${port}`) };
}

const BURST = 25;

for (const keepAlive of [1000, 5000]) {
  for (const mode of ['quiet', 'stall']) {
    scenario(`bursts of POSTs as Node closes after ${keepAlive / 1000} s, its event loop ${mode === 'stall' ? 'blocked now and then' : 'quiet'}: none fails, none is applied twice`, { timeout: 120_000 }, async (s) => {
      // Around the moment at which Node closes, within the time that its event loop may be blocked; and around Berth's own.
      const range = (from, to, step) => Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step);
      const close = mode === 'stall' ? range(-105, 15, 6) : range(-70, 5, 3);
      const own = [-20, -5, 0, 5, 20];
      const { extra, servers } = await raceApps(s, keepAlive, close.length + own.length, mode === 'stall' ? 'stall' : undefined);
      const moments = [...close.map((off) => keepAlive + extra + off), ...own.map((off) => (keepAlive === 1000 ? 500 : 4000) + off)];
      const name = (i) => `app${i}`;
      const berth = await s.berth({
        workers: 2,
        listeners: [{ address: '127.0.0.1:0' }],
        upstreams: Object.fromEntries(servers.map((address, i) => [name(i), { servers: [address], pool: { max_connections: BURST, max_idle: BURST, queue_timeout: '20s' } }])),
        routes: servers.map((_, i) => ({ path: `/${i}`, upstream: name(i) })),
        admin: { address: '127.0.0.1:0' },
        access_log: 'off',
      });
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1000 });
      s.client(() => agent.destroy());
      const sent = servers.map(() => []);
      const post = async (i, round, n) => {
        const id = `${i}-${round}-${n}`;
        sent[i].push(id);
        const got = await s.request(berth, { ...target(berth), agent, path: `/${i}?hold=20`, body: id });
        return got.status === 200 && got.body === id ? null : `${moments[i]} ms: ${got.status} ${got.headers['proxy-status']}`;
      };
      const failed = [];
      const burst = async (i, round) => {
        for (const one of await Promise.all(Array.from({ length: BURST }, (_, n) => post(i, round, n)))) if (one !== null) failed.push(one);
      };
      await Promise.all(moments.map(async (moment, i) => {
        await burst(i, 0);
        await new Promise((resolve) => setTimeout(resolve, moment));
        await burst(i, 1);
      }));
      assert.deepEqual(failed, []);
      for (const [i, ids] of sent.entries()) {
        const applied = JSON.parse((await s.request(berth, { agent, path: `/${i}` })).body);
        assert.deepEqual(applied, Object.fromEntries(ids.map((id) => [id, 1])));
      }
      const m = await berth.metrics();
      assert.equal(m.sum('berth_upstream_stale_reuse_total', { outcome: 'failed' }), 0);
      assert.ok(m.sum('berth_upstream_acquisitions_total', { source: 'idle' }) + m.sum('berth_upstream_acquisitions_total', { source: 'handover' }) > 0);
    });
  }
}
