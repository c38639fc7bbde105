// The only app server restarts, as in a deploy.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { scenario } from './lib/scenario.mjs';
import { until, within } from './lib/wait.mjs';

const app = path.join(path.dirname(fileURLToPath(import.meta.url)), 'lib/restarting_app.mjs');

// Started, but it does not listen yet.
async function prepare(s) {
  const child = fork(app, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  s.behind({ close: () => { child.kill('SIGKILL'); } });
  await within(once(child, 'message'), 'an app to start');
  child.listen = async (port = 0, hint = true) => {
    child.send({ port, hint });
    const [said] = await within(once(child, 'message'), 'an app to listen');
    return said.port;
  };
  child.crash = async () => {
    child.kill('SIGKILL');
    await within(once(child, 'exit'), 'an app to end');
  };
  return child;
}

// One request every 20 ms, each on a connection of its own if need be; every second one a POST. `pause`: no new ones, and
// those that are under way end.
function steady(s, berth) {
  const agent = new http.Agent({ keepAlive: true });
  s.client(() => agent.destroy());
  const results = [];
  const underWay = new Set();
  let posts = true;
  const timer = setInterval(() => {
    const post = results.length % 2 === 1 && posts;
    const url = `/${results.length}`;
    const one = s.request(berth, { agent, path: url, ...(post ? { body: 'content' } : {}) });
    results.push(one.then((got) => [got.status, got.body, got.headers['proxy-status']]));
    if (post) {
      underWay.add(one);
      one.finally(() => underWay.delete(one)).catch(() => {});
    }
  }, 20);
  s.client(() => clearInterval(timer));
  return {
    results,
    // A POST that has been sent to a server that is killed cannot be sent again.
    async withoutPostsUnderWay(what) {
      posts = false;
      await Promise.all(underWay);
      await what();
      posts = true;
    },
    async stop() {
      clearInterval(timer);
      return within(Promise.all(results), 'all answers');
    },
  };
}

scenario('the only server is killed, and away for 1.5 s: no request fails, POST or not', async (s) => {
  const one = await prepare(s), two = await prepare(s);
  const port = await one.listen();
  const berth = await s.front(`127.0.0.1:${port}`);
  const load = steady(s, berth);
  await until(() => load.results.length >= 20, 'some requests');
  await load.withoutPostsUnderWay(() => one.crash());
  await until(async () => (await berth.metrics()).sum('berth_upstream_server_state', { state: 'backing_off' }) === 1, 'it to be away');
  await sleep(1500);
  const failures = (await berth.metrics()).sum('berth_upstream_connect_failures_total');
  await two.listen(port);
  const before = load.results.length;
  await until(() => load.results.length >= before + 50, 'some requests');
  const all = await load.stop();
  all.forEach(([status, body, why], i) => {
    assert.equal(status, 200, `request ${i}: ${why}`);
    assert.ok(body === `/${i} 0` || body === `/${i} 7`, body);
  });
  const m = await berth.metrics();
  assert.ok(failures < 20, `${failures} connections were refused: it is tried by one at a time`);
  assert.equal(m.sum('berth_upstream_server_state', { state: 'ready' }), 1);
  assert.equal(m.sum('berth_upstream_queue_rejected_total'), 0);
});

scenario('it does not come back: 503 when queue_timeout is over, and with wait_while_down: off 502 at once', async (s) => {
  for (const [pool, status, details] of [
    [{ queue_timeout: '200ms' }, 503, 'server_away'],
    [{ queue_timeout: '1h', wait_while_down: 'off' }, 502, 'connect_refused'],
  ]) {
    const one = await prepare(s);
    const berth = await s.front(`127.0.0.1:${await one.listen()}`, { pool });
    assert.equal((await s.request(berth)).status, 200);
    await one.crash();
    const began = Date.now();
    const got = await s.request(berth, { body: 'x' });
    assert.equal(got.status, status);
    assert.ok(got.headers['proxy-status'].includes(`details="${details}"`), got.headers['proxy-status']);
    if (status === 503) {
      assert.equal(got.headers['retry-after'], '1');
      assert.ok(Date.now() - began >= 200);
    }
  }
});

scenario('it was never there: 502 at once', async (s) => {
  const one = await prepare(s);
  const port = await one.listen();
  await one.crash();
  const berth = await s.front(`127.0.0.1:${port}`, { pool: { queue_timeout: '1h' } });
  assert.equal((await s.request(berth, { body: 'x' })).status, 502);
});

scenario('a server without a Keep-Alive hint restarts, 22 connections close at once: that is not taken for its timeout', async (s) => {
  let app = await prepare(s);
  const port = await app.listen(0, false);
  const berth = await s.front(`127.0.0.1:${port}`, { workers: 1 });
  const agent = new http.Agent({ keepAlive: true });
  s.client(() => agent.destroy());
  const many = () => within(Promise.all(Array.from({ length: 22 }, () => s.request(berth, { agent }))), '22 answers');
  const learned = async () => (await berth.metrics()).sum('berth_upstream_learned_keepalive_seconds', { source: 'observed' });
  for (let i = 0; i < 3; ++i) {
    await many();
    await berth.measured((m) => m.sum('berth_upstream_connections', { state: 'idle' }) >= 2, 'idle connections');
    await sleep(167);
    const next = await prepare(s);
    await app.crash();
    await berth.measured((m) => m.sum('berth_upstream_connections', { state: 'idle' }) === 0, 'them to be closed');
    app = next;
    const first = s.request(berth, { agent });
    await berth.measured((m) => m.sum('berth_upstream_server_state', { state: 'backing_off' }) === 1, 'it to be away');
    await app.listen(port, false);
    assert.equal((await first).status, 200);
    assert.equal(await learned(), 0);
  }
  // Idle for as long as that, a connection is still used.
  const before = (await berth.metrics()).sum('berth_upstream_connections_opened_total');
  for (let i = 0; i < 3; ++i) {
    await sleep(200);
    assert.equal((await s.request(berth, { agent })).status, 200);
  }
  assert.equal((await berth.metrics()).sum('berth_upstream_connections_opened_total'), before);
});
