// Everything at once, and things that go away.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { config, scenario, target } from './lib/scenario.mjs';
import { until, within } from './lib/wait.mjs';
import { Wire } from './lib/wire.mjs';

const app = path.join(path.dirname(fileURLToPath(import.meta.url)), 'lib/plain_app.mjs');

async function startApp(s, port) {
  const child = spawn(process.execPath, [app, ...(port ? [String(port)] : [])], { stdio: ['ignore', 'pipe', 'inherit'] });
  s.behind({ close: () => { child.kill('SIGKILL'); } });
  const said = await within(new Promise((resolve) => child.stdout.once('data', resolve)), 'the port of an app');
  child.port = Number(String(said));
  child.ended = new Promise((resolve) => child.on('close', resolve));
  return child;
}

// Clients that send requests which may be sent again, until they are told to stop; any that fails fails the test.
function steadyLoad(s, berth, clients = 8) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients });
  s.client(() => agent.destroy());
  let stop = false;
  const load = { served: 0 };
  const run = Promise.all(Array.from({ length: clients }, async (_, c) => {
    for (let i = 0; !stop; ++i) {
      const post = i % 3 === 0;
      const url = `/${c}/${i}`;
      const got = await s.request(berth, { agent, path: url, ...(post ? { body: 'content', headers: { 'idempotency-key': url } } : {}) });
      assert.deepEqual([got.status, got.body], [200, `${url} ${post ? 7 : 0}`], `after ${load.served}: ${got.headers['proxy-status']}`);
      ++load.served;
    }
  }));
  run.catch(() => {});
  load.more = async (count) => {
    const goal = load.served + count;
    await Promise.race([run, until(() => load.served >= goal, `${count} more requests`)]);
  };
  load.stop = async () => {
    stop = true;
    await within(run, 'the load to end');
  };
  return load;
}

scenario('an app server is killed under load: what may be sent again goes to the other one', async (s) => {
  const one = await startApp(s), two = await startApp(s);
  const berth = await s.front([`127.0.0.1:${one.port}`, `127.0.0.1:${two.port}`], { access_log: 'off' });
  const load = steadyLoad(s, berth);
  await load.more(200);
  one.kill('SIGKILL');
  await one.ended;
  await load.more(300);
  const back = await startApp(s, one.port);
  await until(async () => (await berth.metrics()).sum('berth_upstream_connections', { server: `127.0.0.1:${back.port}` }) > 0, 'it is used again');
  await load.more(100);
  await load.stop();
});

scenario('a rolling restart of all app servers, each by SIGTERM: no request fails', async (s) => {
  const apps = [await startApp(s), await startApp(s), await startApp(s)];
  const berth = await s.front(apps.map(({ port }) => `127.0.0.1:${port}`), { access_log: 'off' });
  const load = steadyLoad(s, berth);
  for (const [i, old] of apps.entries()) {
    await load.more(150);
    old.kill('SIGTERM');
    await within(old.ended, 'the app to stop');
    await load.more(50);
    apps[i] = await startApp(s, old.port);
  }
  await load.more(100);
  await load.stop();
});

// UBSan looks at objects through a pipe of its own, and takes them for broken when it gets none.
const descriptors = process.env.BERTH_SANITIZED ? 'sanitizers need file descriptors themselves' : false;
scenario('few file descriptors: the longest-idle clients make room, and everybody is served', { skip: descriptors }, async (s) => {
  const origin = await s.origin();
  const berth = await s.berth(config(origin, { workers: 1, access_log: 'off', pool: { max_connections: 4 } }), { files: 64 });
  const wires = [];
  for (let i = 0; i < 150; ++i) {
    const wire = await s.wire(berth);
    wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await wire.response()).status, 200);
    wires.push(wire);
  }
  const open = wires.filter((wire) => !wire.ended && !wire.closed).length;
  assert.ok(open > 20 && open < 64, `${open} are open`);
  assert.ok(wires.slice(0, 50).every((wire) => wire.ended || wire.closed), 'the oldest have gone');
  assert.equal(wires.at(-1).ended, false);
});

scenario('a name with several addresses: those that do not answer are passed over', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(`localhost:${origin.server.address().port}`);
  for (let i = 0; i < 20; ++i) assert.equal((await s.request(berth)).status, 200);
});

// A generator of its own, so that a seed says it all.
function random(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// Each answer names its request, so that none can be taken for another's.
function chaoticServer(pick) {
  return async (wire) => {
    for (;;) {
      const seen = await wire.request();
      const body = `[${seen.target} ${seen.body.length}]${'.'.repeat(pick(4) === 0 ? pick(200_000) : pick(100))}`;
      const head = seen.method === 'HEAD' ? '' : body;
      switch (pick(14)) {
        case 0: wire.reset(); return;
        case 1: wire.end(); return;
        case 2: wire.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length + 10}\r\n\r\n${head}`).end(); return;
        case 3: wire.write('garbage\r\n\r\n'); break;
        case 4: wire.write(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${head}`).end(); return;
        case 5: wire.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${head}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nleaked`); break;
        case 6: {
          wire.write(`HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n`);
          if (seen.method !== 'HEAD') wire.write(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
          break;
        }
        case 7: {
          const text = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${head}`;
          const cut = pick(text.length);
          wire.write(text.slice(0, cut));
          await new Promise((resolve) => setTimeout(resolve, pick(5)));
          wire.write(text.slice(cut));
          break;
        }
        case 8: await new Promise((resolve) => setTimeout(resolve, pick(30)));
        // falls through
        default: wire.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${head}`);
      }
    }
  };
}

async function chaoticClient(berth, pick, id, counts) {
  const wire = await Wire.connect(berth.address).catch(() => null);
  if (wire === null) return;
  try {
    for (let n = 0; n < 6; ++n) {
      const url = `/${id}/${n}`;
      const method = ['GET', 'GET', 'POST', 'HEAD'][pick(4)];
      const body = method === 'POST' ? 'b'.repeat(pick(3) === 0 ? pick(150_000) : pick(50)) : '';
      const length = method === 'POST' ? `Content-Length: ${body.length}\r\n` : '';
      const text = `${method} ${url} HTTP/1.1\r\nHost: a\r\n${length}\r\n${body}`;
      switch (pick(16)) {
        case 0: wire.write(text); wire.reset(); return;
        case 1: wire.write(text.slice(0, pick(text.length))); wire.reset(); return;
        case 2: wire.write(text.slice(0, pick(text.length))).end(); break;
        case 3: wire.write(text).end(); break;
        case 4: wire.write('nonsense\r\n\r\n'); break;
        default: wire.write(text);
      }
      const got = await wire.response(method);
      counts[got.status] = (counts[got.status] ?? 0) + 1;
      if (got.status === 200 && method !== 'HEAD') {
        assert.ok(got.body.startsWith(`[${url} ${body.length}]`), `asked ${url}, got ${got.body.slice(0, 60)}`);
        assert.doesNotMatch(got.body, /leaked/);
      }
      if (got.get('connection') === 'close') return;
    }
  } catch (error) {
    if (error.code === 'ERR_ASSERTION' || /in vain/.test(error.message)) throw error;
    counts.broken = (counts.broken ?? 0) + 1;
  } finally {
    wire.destroy();
  }
}

for (const seed of [1, 2, 3]) {
  scenario(`chaos ${seed}: clients, servers and reloads all misbehave; nobody gets another's answer, and nothing is left over`, { timeout: 120_000 }, async (s) => {
    const pick = random(seed);
    const origins = [await s.wireOrigin(chaoticServer(pick)), await s.wireOrigin(chaoticServer(pick))];
    const settings = (n) => config(n % 3 === 2 ? origins.slice(0, 1) : origins, {
      access_log: 'off',
      pool: { max_connections: 2 + (n % 3), max_idle: 1 + (n % 3), queue_size: 40, queue_timeout: '2s', keepalive_requests: 50 },
      upstream: { balance: ['least_requests', 'round_robin', 'random_two'][n % 3], response_timeout: '5s', request_buffer: n % 2 ? '4KiB' : '64KiB' },
    });
    const berth = await s.berth(settings(0));
    const counts = {};
    let id = 0, done = false;
    const clients = Promise.all(Array.from({ length: 30 }, async () => {
      while (id < 900) await chaoticClient(berth, pick, id++, counts);
    })).finally(() => { done = true; });
    clients.catch(() => {});
    for (let n = 1; !done; ++n) {
      await berth.reload(settings(n));
      await new Promise((resolve) => setTimeout(resolve, pick(60)));
    }
    await within(clients, () => `the clients; ${JSON.stringify(counts)}`, 100_000);
    assert.ok(counts[200] > 500, JSON.stringify(counts));
    for (const origin of origins) assert.ok(origin.connections > 10);
    // One proper server left: it is used as if nothing had been.
    const good = await s.origin((request, response) => response.end('ok'));
    await berth.reload(config(good));
    for (let i = 0; i < 10; ++i) assert.equal((await s.request(berth)).status, 200);
  });
}
