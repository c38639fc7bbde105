// Servers that are left out: ejected, unhealthy, drained by hand.
import assert from 'node:assert/strict';
import { runBerth } from './lib/berth.mjs';
import { config, scenario } from './lib/scenario.mjs';
import { until } from './lib/wait.mjs';

const state = (server, what) => (m) => m.sum('berth_upstream_server_state', { server: server.address, state: what }) === 1;
const named = (name) => ({ upstream: 'app', server: name });

async function ask(s, berth, times) {
  const answers = [];
  for (let i = 0; i < times; ++i) answers.push(await s.request(berth, { method: 'POST', body: 'x' }));
  return answers;
}

scenario('a server whose requests fail is ejected, and comes back', async (s) => {
  let broken = true;
  const bad = await s.origin((request, response) => { broken ? request.socket.destroy() : response.end('bad'); });
  const good = await s.origin((request, response) => response.end('good'));
  const berth = await s.front([bad, good], {
    upstream: { balance: 'round_robin', ejection: { errors: 2, time: '1s' } },
  });
  await until(async () => {
    await ask(s, berth, 1);
    return state(bad, 'ejected')(await berth.metrics());
  }, 'the ejection');
  await berth.logged(new RegExp(`warn ejection: app/${bad.address} is ejected for 1s: 2 errors in a row`));
  const metrics = await berth.metrics();
  assert.equal(metrics.sum('berth_upstream_server_up', { server: bad.address }), 0);
  assert.equal(metrics.sum('berth_upstream_server_up', { server: good.address }), 1);
  assert.ok(metrics.sum('berth_upstream_ejections_total', named(bad.address)) >= 1);
  const status = await berth.status();
  assert.equal(status.upstreams[0].servers.find((one) => one.address === bad.address).state, 'ejected');
  broken = false;
  await berth.measured(state(bad, 'ready'), 'the end of the ejection');
  await berth.logged(new RegExp(`info ejection: app/${bad.address} is back`));
  await until(async () => (await ask(s, berth, 1))[0].body === 'bad', 'a request to the server that is back');
});

scenario('an unhealthy server gets no requests until it is healthy again', async (s) => {
  let well = true;
  const app = (name) => (request, response) => {
    if (request.url === '/healthz?x=1') response.statusCode = name === 'one' && !well ? 503 : 204;
    response.end(request.url === '/healthz?x=1' ? undefined : name);
  };
  const one = await s.origin(app('one'));
  const two = await s.origin(app('two'));
  const berth = await s.front([one, two], {
    upstream: {
      balance: 'round_robin',
      health: { path: '/healthz?x=1', host: 'check.test', interval: '100ms', healthy_after: 1, unhealthy_after: 2 },
    },
  });
  await one.seen((o) => o.requests.some((r) => r.headers.host === 'check.test' && r.headers['user-agent'] === 'berth-health'), 'a check');
  const before = await ask(s, berth, 4);
  assert.deepEqual(new Set(before.map((a) => a.body)), new Set(['one', 'two']));

  well = false;
  await berth.logged(/warn health: app\/\S+ is unhealthy: status 503/);
  await berth.measured(state(one, 'unhealthy'), 'unhealthy');
  assert.deepEqual(new Set((await ask(s, berth, 6)).map((a) => a.body)), new Set(['two']));

  well = true;
  await berth.logged(/info health: app\/\S+ is healthy again/);
  await until(async () => (await ask(s, berth, 1))[0].body === 'one', 'requests to the server that is healthy again');
  const metrics = await berth.metrics();
  assert.ok(metrics.sum('berth_upstream_health_checks_total', { ...named(one.address), result: 'failed' }) >= 2);
  assert.ok(metrics.sum('berth_upstream_health_checks_total', { ...named(two.address), result: 'passed' }) >= 2);
});

scenario('one prober checks for all workers, and a reload that turns it off forgets what it found', async (s) => {
  // From the end of an answer to the next check, in ms: several probers would come in between.
  const gaps = [];
  let answered;
  const app = await s.origin((request, response) => {
    response.statusCode = request.url === '/healthz' ? 500 : 200;
    if (request.url === '/healthz') {
      if (answered !== undefined) gaps.push(performance.now() - answered);
      answered = performance.now();
    }
    response.end('ok');
  });
  const settings = (health) => config(app, { workers: 4, upstream: { health } });
  const berth = await s.berth(settings({ path: '/healthz', interval: '300ms' }));
  await berth.measured(state(app, 'unhealthy'), 'unhealthy');
  await app.seen(() => gaps.length >= 6, 'seven checks');
  assert.ok(Math.min(...gaps) > 250, `gaps of ${gaps.map(Math.round)} ms`);
  assert.equal((await s.request(berth, {})).status, 200);  // there is no other
  await berth.reload(settings('off'));
  await berth.measured(state(app, 'ready'), 'ready');
});

scenario('a server that is drained by hand gets no new requests, finishes what it has, and comes back', async (s) => {
  const held = [];
  const app = (name) => (request, response) => {
    if (request.url === '/hold') held.push(response);
    else response.end(name);
  };
  const one = await s.origin(app('one'));
  const two = await s.origin(app('two'));
  const settings = config([one, two], { upstream: { balance: 'round_robin' } });
  const berth = await s.berth(settings);
  const admin = () => ['--admin', berth.adminAddress.host + ':' + berth.adminAddress.port];
  const holding = s.request(berth, { path: '/hold' });
  const [busy, other] = await until(() => one.requests.length ? [one, two] : two.requests.length ? [two, one] : false, 'a request');
  await ask(s, berth, 4);

  const done = await runBerth(['drain', busy.address, ...admin()]);
  assert.deepEqual([done.code, done.stdout, done.stderr], [0, `app/${busy.address} drains\n`, '']);
  await berth.measured((m) => state(busy, 'draining')(m) &&
    m.sum('berth_upstream_connections', { server: busy.address, state: 'active' }) === 1 &&
    m.sum('berth_upstream_connections', { server: busy.address, state: 'idle' }) === 0, 'idle connections to close');
  const names = async () => new Set((await ask(s, berth, 6)).map((answer) => answer.body));
  assert.deepEqual(await names(), new Set([other === one ? 'one' : 'two']));

  await berth.reload({ ...settings, upstreams: { app: { ...settings.upstreams.app, idle_timeout: '50s' } } });
  assert.deepEqual(await names(), new Set([other === one ? 'one' : 'two']));
  held[0].end('late');
  assert.equal((await holding).body, 'late');
  await busy.seen((o) => o.open.size === 0, 'its last connection to close');

  const back = await runBerth(['resume', busy.address, '--upstream', 'app', ...admin()]);
  assert.deepEqual([back.code, back.stdout], [0, `app/${busy.address} is back\n`]);
  await until(async () => (await names()).size === 2, 'requests to the server that is back');
});

scenario('the last server can be drained too: then there is none', async (s) => {
  const app = await s.origin();
  const berth = await s.front(app);
  await s.request(berth, {});
  assert.equal((await runBerth(['drain', app.address, '--admin', `127.0.0.1:${berth.adminAddress.port}`])).code, 0);
  await until(async () => (await s.request(berth, {})).status === 503, 'every worker to hear of it');
});

scenario('drain: what is no server, and who is not obeyed', async (s) => {
  const app = await s.origin();
  const berth = await s.front(app);
  const admin = ['--admin', `127.0.0.1:${berth.adminAddress.port}`];
  const unknown = await runBerth(['drain', '127.0.0.1:1', ...admin]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /^berth: 127\.0\.0\.1:\d+: There is no server 127\.0\.0\.1:1; \/status names them all\.\n$/);
  assert.equal((await runBerth(['drain', app.address, '--upstream', 'web', ...admin])).code, 1);
  assert.equal((await runBerth(['drain', ...admin])).code, 2);
  const page = (headers) => fetch(`http://127.0.0.1:${berth.adminAddress.port}/drain?server=${app.address}`, { method: 'POST', headers });
  assert.equal((await page({ origin: 'https://evil.example' })).status, 403);
  assert.equal((await s.request(berth, {})).status, 200);
});
