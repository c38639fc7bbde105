// SIGHUP: nothing is lost, everything that may change changes live, and a wrong file changes nothing.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { WebSocketServer, WebSocket } from 'ws';
import { config, scenario } from './lib/scenario.mjs';
import { readAll } from './lib/origin.mjs';
import { until, within } from './lib/wait.mjs';
import { Wire } from './lib/wire.mjs';

function hold(s) {
  const waiting = [];
  return s.origin((request, response) => waiting.push(response)).then((origin) => Object.assign(origin, { waiting }));
}

async function ask(s, berth, path = '/') {
  const wire = await s.wire(berth);
  wire.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  return wire;
}

// Each worker closes its own listening socket: not all at the same moment.
function refusedSoon(address) {
  return until(() => Wire.connect(address).then((wire) => wire.destroy(), (error) => ['ECONNREFUSED', 'ENOENT'].includes(error.code)), 'connections to be refused');
}

scenario('twenty reloads under load: no request fails, no WebSocket drops, the upstream sockets stay the same', async (s) => {
  const origin = await s.origin(async (request, response) => {
    const body = await readAll(request);
    setImmediate(() => response.end(`${request.method} ${request.url} ${body}`));
  });
  const sockets = new WebSocketServer({ server: origin.server });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))));
  const settings = (nth) => config(origin, {
    access_log: 'off',
    listener: { keepalive_timeout: `${60 + nth}s` },
    pool: { max_connections: 4, keepalive_requests: 1_000_000, queue_timeout: '20s', queue_size: 1000 + nth },
    upstream: { response_timeout: `${30 + nth}s` },
    routes: [{ path: '/', upstream: 'app', response_headers: { set: { 'X-Generation': String(nth) } } }],
  });
  const berth = await s.berth(settings(0));

  const socket = new WebSocket(`${berth.url.replace('http', 'ws')}/`);
  s.client(() => socket.terminate());
  await within(new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject)), 'WebSocket');
  let answered = 0, dropped = false;
  socket.on('close', () => { dropped = true; });
  socket.on('message', () => { ++answered; socket.send('again'); });
  socket.send('first');

  const agent = new http.Agent({ keepAlive: true, maxSockets: 12 });
  s.client(() => agent.destroy());
  let stop = false, served = 0;
  const generations = new Set();
  const clients = Array.from({ length: 12 }, async (_, c) => {
    for (let i = 0; !stop; ++i) {
      const post = (c + i) % 2 === 0;
      const got = await s.request(berth, post ? { agent, path: `/${c}/${i}`, body: `b${i}` } : { agent, path: `/${c}/${i}` });
      assert.deepEqual([got.status, got.body], [200, `${post ? 'POST' : 'GET'} /${c}/${i} ${post ? `b${i}` : ''}`]);
      generations.add(Number(got.headers['x-generation']));
      ++served;
    }
  });
  const load = Promise.all(clients);
  load.catch(() => {});
  const more = async (count) => {
    const goal = served + count;
    await within(Promise.race([load, (async () => { while (served < goal) await new Promise((r) => setTimeout(r, 1)); })()]), 'more requests');
  };
  await more(50);
  const before = origin.ports();
  for (let nth = 1; nth <= 20; ++nth) {
    assert.match(await berth.reload(settings(nth)), /servers: 1 changed/);
    await more(20);
  }
  const after = origin.ports();
  stop = true;
  await within(load, 'the load to end');
  assert.deepEqual(after, before);
  assert.equal(after.length, 5);  // four and the WebSocket
  assert.equal(dropped, false);
  assert.ok(answered > 0);
  assert.ok(generations.has(0) && generations.has(20), 'new requests use the new configuration');
  const m = await berth.metrics();
  assert.equal(m.sum('berth_config_reloads_total', { result: 'success' }), 20);
  assert.equal(m.sum('berth_reload_pools_total', { action: 'changed' }), 20);
  assert.equal(m.sum('berth_client_connections_accepted_total'), 13);
  assert.equal((await berth.status()).generation, 21);
});

scenario('a reload with the same file keeps everything as it is', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin);
  await s.request(berth);
  const before = origin.ports();
  assert.match(await berth.reload(), /servers: 1 kept; listeners: 1 kept/);
  for (let i = 0; i < 5; ++i) assert.equal((await s.request(berth)).status, 200);
  for (const port of before) assert.ok(origin.ports().includes(port));
  const m = await berth.measured((now) => now.sum('berth_client_requests_total') === 6, 'counters go on');
  assert.equal(m.sum('berth_reload_pools_total', { action: 'kept' }), 1);
});

scenario('a raised bound serves those who wait at once', async (s) => {
  const origin = await hold(s);
  const pool = { max_connections: 1, queue_timeout: '30s' };
  const berth = await s.front(origin, { pool });
  for (let i = 0; i < 4; ++i) await ask(s, berth, `/${i}`);
  await berth.measured((m) => m.sum('berth_upstream_queue_length') === 3);
  await berth.reload(config(origin, { pool: { ...pool, max_connections: 3 } }));
  await origin.seen((o) => o.waiting.length === 3, 'three at once');
  const m = await berth.measured((now) => now.sum('berth_upstream_queue_length') === 1);
  assert.equal(m.sum('berth_upstream_connections_limit'), 3);
  for (const response of origin.waiting.splice(0)) response.end();
  await origin.seen((o) => o.waiting.length === 1);
  origin.waiting.pop().end();
});

// One worker: two that park at the same moment may each close a connection where one would do.
scenario('a lowered bound closes what is too much as soon as it is idle', async (s) => {
  const origin = await hold(s);
  const berth = await s.front(origin, { workers: 1, pool: { max_connections: 6 } });
  const wires = [];
  for (let i = 0; i < 6; ++i) wires.push(await ask(s, berth));
  await origin.seen((o) => o.waiting.length === 6);
  await berth.reload(config(origin, { workers: 1, pool: { max_connections: 2, max_idle: 2 } }));
  for (const response of origin.waiting.splice(0)) response.end();
  for (const wire of wires) assert.equal((await wire.response()).status, 200);
  await origin.seen((o) => o.open.size === 2, 'two are left');
  await berth.measured((m) => m.sum('berth_upstream_connections_closed_total', { reason: 'bound_lowered' }) === 4);
});

scenario('a lowered bound closes idle connections at once', async (s) => {
  const origin = await hold(s);
  const berth = await s.front(origin, { pool: { max_connections: 6 } });
  const wires = [];
  for (let i = 0; i < 6; ++i) wires.push(await ask(s, berth));
  await origin.seen((o) => o.waiting.length === 6);
  for (const response of origin.waiting.splice(0)) response.end();
  for (const wire of wires) await wire.response();
  await berth.measured((m) => m.sum('berth_upstream_connections', { state: 'idle' }) === 6);
  await berth.reload(config(origin, { pool: { max_connections: 1 } }));
  await origin.seen((o) => o.open.size <= 1, 'at most one is left');
});

scenario('a shorter queue refuses newcomers, not those who wait', async (s) => {
  const origin = await hold(s);
  const pool = { max_connections: 1, queue_timeout: '30s' };
  const berth = await s.front(origin, { pool });
  const wires = [];
  for (let i = 0; i < 3; ++i) wires.push(await ask(s, berth));
  await berth.measured((m) => m.sum('berth_upstream_queue_length') === 2);
  await berth.reload(config(origin, { pool: { ...pool, queue_size: 1 } }));
  await berth.measured((m) => m.sum('berth_upstream_queue_limit') === 1);
  assert.equal((await s.request(berth)).status, 503);
  for (let i = 0; i < 3; ++i) {
    await origin.seen((o) => o.waiting.length === 1);
    origin.waiting.pop().end();
  }
  for (const wire of wires) assert.equal((await wire.response()).status, 200);
});

scenario('a server and a listener that are spelled or called otherwise are the same: one bound, one series of counters', async (s) => {
  const waiting = [];
  const origin = await s.origin((request, response) => waiting.push(response), { where: { host: '::1', port: 0 } });
  const { port } = origin.server.address();
  const settings = (address, name) => config(address, {
    pool: { max_connections: 2, queue_timeout: '30s' }, listener: { name },
  });
  const berth = await s.berth(settings(`[::1]:${port}`, 'before'));
  const wires = [];
  for (let i = 0; i < 5; ++i) wires.push(await ask(s, berth));
  await origin.seen(() => waiting.length === 2);
  await berth.measured((m) => m.sum('berth_upstream_queue_length') === 3);
  assert.match(await berth.reload(settings(`[0:0:0:0:0:0:0:1]:${port}`, 'after')), /servers: 1 kept; listeners: 1 changed \(127\.0\.0\.1:0: name\)/);
  for (let left = 5; left > 0; --left) {
    await origin.seen(() => waiting.length === Math.min(left, 2));
    waiting.shift().end();
  }
  for (const wire of wires) assert.equal((await wire.response()).status, 200);
  assert.equal(origin.mostOpen, 2);
  const m = await berth.measured((now) => now.sum('berth_client_requests_total', { listener: 'after' }) === 5);
  assert.equal(m.sum('berth_client_connections_accepted_total', { listener: 'after' }), 5);
  assert.equal(m.sum('berth_upstream_connections_opened_total', { server: `[::1]:${port}` }), 2);
  assert.equal(m.sum('berth_upstream_connections_opened_total'), 2);
});

scenario('a removed server finishes its requests and gets no more; its idle connections close at once', async (s) => {
  const goes = await hold(s), stays = await s.origin();
  const settings = { upstream: { balance: 'round_robin' } };
  const berth = await s.front([goes, stays], settings);
  const wires = [];
  while (goes.waiting.length < 2) {
    const wire = await ask(s, berth);
    wires.push(wire);
    await Promise.race([wire.take(() => wire.available > 0, 'an answer'), goes.seen((o) => o.waiting.length > 0 && wires.length === o.waiting.length + stays.requests.length)]);
  }
  goes.waiting.shift().end('first');
  await berth.measured((m) => m.sum('berth_upstream_connections', { server: goes.address, state: 'idle' }) === 1);
  assert.match(await berth.reload(config(stays, settings)), new RegExp(`1 kept, 1 retired \\(app/${goes.address}\\)`));
  await goes.seen((o) => o.open.size === 1, 'the idle connection closes');
  const before = goes.requests.length;
  for (let i = 0; i < 10; ++i) assert.equal((await s.request(berth)).body, 'ok');
  assert.equal(goes.requests.length, before);
  goes.waiting.shift().end('last words');
  await goes.seen((o) => o.open.size === 0, 'the last connection closes');
  for (const wire of wires) assert.equal((await wire.response()).status, 200);
  await berth.measured((m) => !m.text.includes(goes.address), 'its labels go with its last connection');
});

scenario('an added server is used', async (s) => {
  const old = await s.origin(), added = await s.origin((request, response) => response.end('new'));
  const settings = { upstream: { balance: 'round_robin' } };
  const berth = await s.front(old, settings);
  await s.request(berth);
  assert.match(await berth.reload(config([old, added], settings)), /1 added/);
  const bodies = new Set();
  for (let i = 0; i < 10; ++i) bodies.add((await s.request(berth)).body);
  assert.deepEqual([...bodies].sort(), ['new', 'ok']);
});

scenario('those who wait for a removed server are served by the others', async (s) => {
  const goes = await hold(s), added = await s.origin();
  const pool = { max_connections: 1, queue_timeout: '30s' };
  const berth = await s.front(goes, { pool });
  const first = await ask(s, berth);
  await goes.seen((o) => o.waiting.length === 1);
  const waits = await ask(s, berth);
  await berth.measured((m) => m.sum('berth_upstream_queue_length') === 1);
  await berth.reload(config(added, { pool }));
  assert.equal((await waits.response()).body, 'ok');
  goes.waiting.pop().end('done');
  assert.equal((await first.response()).body, 'done');
});

scenario('an upstream that leaves the configuration still serves those who wait in it', async (s) => {
  const goes = await hold(s), other = await s.origin();
  const pool = { max_connections: 1, queue_timeout: '30s' };
  const berth = await s.front(goes, { pool });
  const wires = [await ask(s, berth, '/1')];
  await goes.seen((o) => o.waiting.length === 1);
  wires.push(await ask(s, berth, '/2'));
  await berth.measured((m) => m.sum('berth_upstream_queue_length') === 1);
  await berth.reload({ ...config(other), upstreams: { another: { servers: [other.address] } } });
  assert.equal((await s.request(berth)).body, 'ok');
  goes.waiting.pop().end('1');
  assert.equal((await wires[0].response()).body, '1');
  await goes.seen((o) => o.waiting.length === 1, 'the one that waited');
  goes.waiting.pop().end('2');
  assert.equal((await wires[1].response()).body, '2');
  await goes.seen((o) => o.open.size === 0, 'nothing is left of it');
});

scenario('listeners come and go; requests under way on one that goes are completed', async (s) => {
  const folder = s.folder();
  const first = `unix:${path.join(folder, 'first.sock')}`, second = `unix:${path.join(folder, 'second.sock')}`;
  const origin = await hold(s);
  const settings = (...addresses) => ({ ...config(origin), listeners: addresses.map((address) => ({ address })) });
  const berth = await s.berth(settings('127.0.0.1:0', first));
  const at = (address) => ({ path: address.slice(5) });
  const idle = await s.wire(at(first));
  idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await origin.seen((o) => o.waiting.length === 1);
  origin.waiting.pop().end('ok');
  await idle.response();
  const busy = await s.wire(at(first));
  busy.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await origin.seen((o) => o.waiting.length === 1);

  assert.match(await berth.reload(settings('127.0.0.1:0', second)), /listeners: 1 kept, 1 added .*, 1 retired/);
  assert.equal(await idle.finish(), 'FIN');
  await refusedSoon(at(first));
  const fresh = await s.wire(at(second));
  fresh.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await origin.seen((o) => o.waiting.length === 2);
  for (const response of origin.waiting.splice(0)) response.end('ok');
  assert.equal((await fresh.response()).body, 'ok');
  const got = await busy.response();
  assert.deepEqual([got.body, got.get('connection')], ['ok', 'close']);
  assert.equal(await busy.finish(), 'FIN');
  assert.equal(existsSync(at(first).path), false, 'its socket file is gone');
});

scenario('a listener\'s limits change live, for its connections too', async (s) => {
  const origin = await s.origin(async (request, response) => response.end(String((await readAll(request)).length)));
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  const post = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n${'x'.repeat(100)}`;
  wire.write(post);
  assert.equal((await wire.response()).body, '100');
  await berth.reload(config(origin, { listener: { max_body: '99B', keepalive_timeout: '20s' } }));
  wire.write(post);
  assert.equal((await wire.response()).status, 413);
  const got = await s.request(berth);
  assert.match(got.headers['keep-alive'], /timeout=19/);
});

// --- Wrong files

const WRONG = [
  ['no YAML', 'listeners: [', /berth\.yaml:\d+:\d+: error/],
  ['an unknown key, with the nearest right one', (c) => ({ ...c, listners: [] }), /listners.*listeners/],
  ['a wrong unit', (c) => ({ ...c, shutdown: { grace: '5 parsecs' } }), /grace/],
  ['an upstream that does not exist', (c) => ({ ...c, routes: [{ path: '/', upstream: 'nope' }] }), /nope/],
  ['no listeners', (c) => ({ ...c, listeners: [] }), /listener/],
  ['a server name that does not resolve', (c) => ({ ...c, upstreams: { app: { servers: ['does-not-exist.invalid:80'] } } }), /berth\.yaml:\d+:\d+: error: .*does-not-exist\.invalid/],
];
for (const [name, change, says] of WRONG) {
  scenario(`a wrong file changes nothing: ${name}`, async (s) => {
    const origin = await s.origin();
    const good = config(origin);
    const berth = await s.berth(good);
    await s.request(berth);
    const before = origin.ports();
    assert.match(await berth.reload(typeof change === 'string' ? change : change(good)), /^rejected, the previous configuration stays in effect: /);
    await berth.logged(says);
    const status = await berth.status();
    assert.deepEqual([status.generation, status.last_reload.result], [1, 'failure']);
    assert.match(status.last_reload.errors.join('\n'), says);
    assert.equal((await s.request(berth)).status, 200);
    for (const port of before) assert.ok(origin.ports().includes(port));
    const m = await berth.metrics();
    assert.equal(m.sum('berth_config_reloads_total', { result: 'failure' }), 1);
    assert.equal(m.sum('berth_config_reloads_total', { result: 'success' }), 0);
    // And a right one is taken afterwards.
    assert.match(await berth.reload(good), /^servers: 1 kept/);
    assert.equal((await berth.status()).last_reload.result, 'success');
  });
}

scenario('a missing file changes nothing', async (s) => {
  const { rmSync } = await import('node:fs');
  const berth = await s.front(await s.origin());
  rmSync(berth.file);
  assert.match(await berth.reload(), /^rejected, the previous configuration stays in effect: /);
  assert.equal((await s.request(berth)).status, 200);
});

scenario('an address that is taken changes nothing, neither listeners nor pools nor the access log', async (s) => {
  const origin = await s.origin(), other = await s.origin();
  const folder = s.folder();
  const good = { ...config(origin), access_log: { path: path.join(folder, 'one.log') } };
  const berth = await s.berth(good);
  const taken = net.createServer();
  await new Promise((resolve) => taken.listen(0, '127.0.0.1', resolve));
  s.behind(taken);
  const socket = `unix:${path.join(folder, 'new.sock')}`;
  const wrong = {
    ...good,
    listeners: [...good.listeners, { address: socket }, { address: `127.0.0.1:${taken.address().port}` }],
    upstreams: { app: { servers: [other.address] } },
    access_log: { path: path.join(folder, 'two.log') },
  };
  assert.match(await berth.reload(wrong), /^rejected, the previous configuration stays in effect: \S+berth\.yaml:\d+:\d+: error: .*in use/i);
  await refusedSoon({ path: socket.slice(5) });
  assert.equal((await s.request(berth, { path: '/after' })).status, 200);
  assert.equal(other.requests.length, 0);
  assert.equal((await berth.status()).generation, 1);
  s.agent.destroy();
  await berth.stop();
  assert.match(readFileSync(path.join(folder, 'one.log'), 'utf8'), /\/after/);
});

scenario('started from flags, SIGHUP says that there is nothing to read', async (s) => {
  const origin = await s.origin();
  const berth = await s.berth(undefined, { args: ['run', '--from', '127.0.0.1:0', '--to', origin.address, '--admin', '127.0.0.1:0'] });
  assert.match(await berth.reload(), /rejected, the previous configuration stays in effect: .*no file/);
  assert.equal((await s.request(berth)).status, 200);
});

scenario('each problem of a rejected file has a line of its own, with its place and what stays in effect', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin);
  await berth.reload('listeners:\n  - address: 127.0.0.1:0\n    keepalive_timeout: 5 parsecs\nupstreams:\n  app:\n    servers: [127.0.0.1]\nnonsense: 1\n');
  const [log] = await berth.logged(/[^]*:7:1: error: .*\n/);
  const lines = log.split('\n').filter((line) => line.includes(' reload: '));
  assert.equal(lines.length, 3, lines.join('\n'));
  for (const [nth, place] of [[0, '3:24'], [1, '6:15'], [2, '7:1']]) {
    assert.match(lines[nth], new RegExp(`Z error reload: rejected, the previous configuration stays in effect: ${berth.file}:${place}: error: `));
    assert.ok(!/\\n|\\x0a/.test(lines[nth]), lines[nth]);
  }
  assert.equal((await berth.status()).last_reload.errors.length, 3);
});

scenario('log, metric and status say the same about a reload', async (s) => {
  const [stays, changes, goes, comes] = await Promise.all([s.origin(), s.origin(), s.origin(), s.origin()]);
  const settings = (servers, more = {}) => config(servers, {
    ...more, upstream: { balance: 'round_robin' },
  });
  const berth = await s.berth(settings([stays, changes, goes]));
  const line = await berth.reload(settings([stays, { address: { address: changes.address, weight: 2 } }, comes], { shutdown: { grace: '7s' } }));
  assert.equal(line, `servers: 1 kept, 1 changed (app/${changes.address}), 1 added (app/${comes.address}), 1 retired (app/${goes.address}); `
    + 'listeners: 1 kept; upstreams: 1 kept; routes unchanged; changed: shutdown.grace');
  const { last_reload: last } = await berth.status();
  assert.equal(last.result, 'success');
  assert.deepEqual(last.servers, {
    kept: [`app/${stays.address}`], changed: [`app/${changes.address}`], replaced: [], added: [`app/${comes.address}`], retired: [`app/${goes.address}`],
  });
  assert.deepEqual([last.settings_changed, last.needs_restart], [['shutdown.grace'], []]);
  const m = await berth.metrics();
  const counted = Object.fromEntries(['kept', 'changed', 'replaced', 'added', 'retired'].map((action) => [action, m.sum('berth_reload_pools_total', { action })]));
  assert.deepEqual(counted, { kept: 1, changed: 1, replaced: 0, added: 1, retired: 1 });
});

scenario('a lowered keepalive_timeout closes what has been idle for longer, on both sides', async (s) => {
  const origin = await s.origin();
  origin.server.keepAliveTimeout = 120_000;
  const settings = (timeout) => config(origin, { listener: { keepalive_timeout: timeout }, pool: { keepalive_timeout: timeout } });
  // Longer than the test has patience.
  const berth = await s.berth(settings('90s'));
  const wires = [await s.wire(berth), await s.wire(berth)];
  for (const wire of wires) {
    wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await wire.response();
  }
  const silent = await s.wire(berth);
  await berth.measured((m) => m.sum('berth_client_connections', { state: 'idle' }) === 3);
  assert.ok(origin.open.size > 0);
  await berth.reload(settings('1s'));
  // The sockets themselves, at the other ends.
  for (const wire of [...wires, silent]) assert.equal(await wire.finish(), 'FIN');
  await origin.seen((o) => o.open.size === 0, "the app server's sockets to close");
});

scenario('a lowered response_timeout ends a request that has waited for longer', async (s) => {
  const origin = await hold(s);
  const settings = (timeout) => config(origin, { upstream: { response_timeout: timeout } });
  const berth = await s.berth(settings('90s'));
  const wire = await ask(s, berth);
  await origin.seen((o) => o.waiting.length === 1);
  await berth.reload(settings('500ms'));
  assert.equal((await wire.response()).status, 504);
});

scenario('permissions of a Unix socket change with a reload', async (s) => {
  const origin = await s.origin();
  const file = path.join(s.folder(), 'front.sock');
  const settings = (mode) => config(origin, { listener: { address: `unix:${file}`, unix_mode: mode } });
  const berth = await s.berth(settings('0666'));
  assert.equal(statSync(file).mode & 0o777, 0o666);
  assert.match(await berth.reload(settings('0600')), /listeners: 1 changed \(.*: unix_mode\)/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

scenario('what needs a restart is said, the rest is taken', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin);
  assert.match(await berth.reload({ ...config(origin), workers: 3 }), /workers needs a restart/);
  assert.deepEqual((await berth.status()).last_reload.needs_restart, ['workers']);
  assert.equal((await s.request(berth)).status, 200);
});

