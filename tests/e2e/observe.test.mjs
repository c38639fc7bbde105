// Metrics, health, state; promtool and Prometheus themselves look at them.
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { ROOT } from './lib/berth.mjs';
import { config, scenario } from './lib/scenario.mjs';
import { readAll } from './lib/origin.mjs';
import { until, within } from './lib/wait.mjs';

function installed(program) { return spawnSync(program, ['--version']).error === undefined; }
const promtool = installed('promtool') ? false : 'promtool is not installed';
const prometheus = installed('prometheus') ? false : 'prometheus is not installed';

// Traffic of all kinds until it is told to stop.
function traffic(s, berth) {
  let stop = false;
  const run = (async () => {
    for (let i = 0; !stop; ++i) {
      await s.request(berth, { path: `/${i}` });
      await s.request(berth, { path: '/post', body: 'x'.repeat(i % 1000) });
      if (i % 5 === 0) await s.request(berth, { path: '/error' });
    }
  })();
  run.catch(() => {});
  s.client(() => { stop = true; });
  return async () => { stop = true; await run; };
}

function app(request, response) {
  response.statusCode = request.url === '/error' ? 500 : 200;
  response.end('ok');
}

scenario('promtool finds nothing to complain about, before, under and after traffic', { skip: promtool }, async (s) => {
  const berth = await s.front([await s.origin(app), await s.origin(app)], { listener: { name: 'front:[a/b@c]' } });
  const check = (text) => within(new Promise((resolve) => {
    const child = execFile('promtool', ['check', 'metrics'], (error, stdout, stderr) => resolve({ code: error?.code ?? 0, said: stdout + stderr }));
    child.stdin.end(text);
  }), 'promtool');
  assert.deepEqual(await check((await berth.page('/metrics')).text), { code: 0, said: '' });
  const stop = traffic(s, berth);
  await berth.measured((m) => m.sum('berth_client_requests_total') > 50);
  const wire = await s.wire(berth);
  wire.write('BAD\r\n\r\n');
  await wire.finish();
  assert.deepEqual(await check((await berth.page('/metrics')).text), { code: 0, said: '' });
  await stop();
  assert.deepEqual(await check((await berth.page('/metrics')).text), { code: 0, said: '' });
});

scenario('a real Prometheus scrapes it', { skip: prometheus, timeout: 90_000 }, async (s) => {
  const berth = await s.front(await s.origin(app));
  const stop = traffic(s, berth);
  const folder = s.folder();
  const reserve = net.createServer();
  await new Promise((resolve) => reserve.listen(0, '127.0.0.1', resolve));
  const { port } = reserve.address();
  await new Promise((resolve) => reserve.close(resolve));
  const shipped = readFileSync(path.join(ROOT, 'deploy/prometheus/prometheus.yml'), 'utf8');
  assert.match(shipped, /127\.0\.0\.1:9145|localhost:9145/);
  const { host, port: admin } = berth.adminAddress;
  const settings = shipped.replace(/(127\.0\.0\.1|localhost):9145/, `${host}:${admin}`).replace(/^(\s*scrape_interval:).*$/m, '$1 1s')
    .replaceAll('alerts.yml', path.join(ROOT, 'deploy/prometheus/alerts.yml'));
  const file = path.join(folder, 'prometheus.yml');
  writeFileSync(file, settings);
  const server = spawn('prometheus', [`--config.file=${file}`, `--storage.tsdb.path=${path.join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  server.stderr.on('data', (bytes) => { said += bytes; });
  const ended = new Promise((resolve) => server.on('close', resolve));
  s.client(async () => {
    server.kill('SIGTERM');
    await ended;
  });
  const query = async (expression) => {
    const response = await new Promise((resolve, reject) => {
      http.get({ host: '127.0.0.1', port, path: `/api/v1/query?query=${encodeURIComponent(expression)}`, agent: false }, resolve).on('error', reject);
    });
    return JSON.parse(await readAll(response)).data?.result ?? [];
  };
  const value = async (expression) => Number((await query(expression).catch(() => []))[0]?.value[1]);
  await until(async () => (await value('up')) === 1, () => `up == 1; prometheus said ${said.slice(-2000)}`, 60_000);
  await until(async () => (await value('sum(berth_client_requests_total)')) > 10, 'requests in Prometheus', 30_000);
  assert.equal(await value('count(berth_build_info)'), 1);
  assert.equal(await value('sum(berth_upstream_connections_limit)'), 128);
  assert.ok((await value('scrape_samples_scraped')) > 100);
  await stop();
});

scenario('/healthz, /readyz, /status, /config, the index, and what there is not', async (s) => {
  const origin = await s.origin(app);
  const berth = await s.front(origin);
  assert.deepEqual(await berth.page('/healthz').then(({ status, text }) => [status, text]), [200, 'ok\n']);
  assert.deepEqual(await berth.page('/readyz').then(({ status, text }) => [status, text]), [200, 'ready\n']);
  await s.request(berth);
  const status = await berth.status();
  assert.equal(status.state, 'ready');
  assert.equal(status.workers, 2);
  assert.equal(status.listeners[0].requests, 1);
  assert.deepEqual(status.upstreams.map(({ name }) => name), ['app']);
  assert.equal(status.upstreams[0].servers[0].address, origin.address);
  assert.equal(status.upstreams[0].servers[0].limit, 128);
  assert.match((await berth.page('/config')).text, /max_connections: 128/);
  const index = await berth.page('/');
  assert.match(index.headers['content-type'], /text\/html/);
  assert.match(index.text, /\/metrics/);
  assert.equal((await berth.page('/none')).status, 404);
  assert.match((await berth.page('/metrics')).headers['content-type'], /^text\/plain; version=0\.0\.4/);
});

scenario('counters tell what happened, on both sides', async (s) => {
  const origin = await s.origin(app);
  const berth = await s.front(origin, { workers: 1, listener: { name: 'front' } });
  for (let i = 0; i < 3; ++i) await s.request(berth);
  await s.request(berth, { path: '/error', body: 'x' });
  // A request counts when its response has been sent, which the client may notice first.
  const m = await berth.measured((now) => now.sum('berth_client_requests_total') === 4);
  const both = { upstream: 'app', server: origin.address };
  assert.equal(m.sum('berth_client_requests_total', { listener: 'front', method: 'GET', code: '200' }), 3);
  assert.equal(m.sum('berth_client_requests_total', { listener: 'front', method: 'POST', code: '500' }), 1);
  assert.equal(m.sum('berth_upstream_requests_total', { ...both, code: '200' }), 3);
  assert.equal(m.sum('berth_upstream_requests_total', { ...both, code: '500' }), 1);
  assert.equal(m.sum('berth_client_connections_accepted_total'), 1);
  assert.equal(m.sum('berth_upstream_connections_opened_total', both), 1);
  assert.equal(m.sum('berth_upstream_acquisitions_total', { ...both, source: 'new' }), 1);
  assert.equal(m.sum('berth_upstream_acquisitions_total', { ...both, source: 'idle' }), 3);
  assert.equal(m.sum('berth_client_request_duration_seconds_count'), 4);
  assert.equal(m.sum('berth_upstream_response_header_duration_seconds_count', both), 4);
  assert.equal(m.sum('berth_upstream_idle_age_at_reuse_seconds_count', both), 3);
  assert.equal(m.sum('berth_upstream_connect_duration_seconds_count', both), 1);
  assert.ok(m.sum('berth_client_received_bytes_total') > 100);
  assert.ok(m.sum('berth_client_sent_bytes_total') > 100);
  assert.equal(m.sum('berth_upstream_learned_keepalive_seconds', { ...both, source: 'hint' }), 4);
  assert.equal(m.sum('berth_upstream_keepalive_margin_seconds', both), 1);
  s.agent.destroy();
  const after = await berth.measured((now) => now.sum('berth_client_connections_closed_total', { reason: 'peer_closed' }) === 1);
  assert.equal(after.sum('berth_client_requests_per_connection_sum'), 4);
  assert.equal(after.sum('berth_client_connection_age_seconds_count'), 1);
  assert.ok(after.sum('process_resident_memory_bytes') > 1e6);
});

scenario('by route and class, by server in bytes and bodies, and who left', async (s) => {
  const left = [];
  const origin = await s.origin(async (request, response) => {
    const body = await readAll(request).catch(() => '');
    if (request.url === '/api/hang') return left.push(response);
    if (request.url === '/api/crash') return request.socket.destroy();
    response.statusCode = request.url.endsWith('missing') ? 404 : 200;
    response.end('y'.repeat(Number(/\d+/.exec(request.url)?.[0] ?? 0)) + body);
  });
  const berth = await s.front(origin, {
    workers: 2,
    routes: [{ path: '/', upstream: 'app' }, { path: '/api', upstream: 'app' }],
    upstream: { retry: { attempts: 1 } },
  });
  await s.request(berth, { path: '/20000' });
  await s.request(berth, { path: '/missing' });
  for (let i = 0; i < 3; ++i) await s.request(berth, { path: '/api', body: 'b'.repeat(2000) });
  const hanging = await s.wire(berth);
  hanging.write('GET /api/hang HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => left.length === 1, 'the request is there');
  hanging.destroy();
  await berth.measured((m) => m.sum('berth_upstream_aborts_total', { by: 'client' }) === 1);
  assert.equal((await s.request(berth, { path: '/api/crash' })).status, 502);
  const m = await berth.metrics();
  const route = (name, status) => m.sum('berth_route_request_duration_seconds_count', { route: name, class: status });
  assert.deepEqual([route('*/', '2xx'), route('*/', '4xx'), route('*/', '5xx')], [1, 1, 0]);
  assert.deepEqual([route('*/api', '2xx'), route('*/api', '4xx'), route('*/api', '5xx')], [3, 1, 1]);
  const server = { upstream: 'app', server: origin.address };
  assert.equal(m.sum('berth_upstream_aborts_total', { ...server, by: 'server' }), 1);
  assert.equal(m.sum('berth_upstream_request_body_bytes_count', server), 5);
  assert.equal(m.sum('berth_upstream_request_body_bytes_sum', server), 6000);
  assert.equal(m.sum('berth_upstream_response_body_bytes_sum', server), 26000);
  assert.equal(m.sum('berth_upstream_response_body_bytes_bucket', { ...server, le: '0' }), 1);
  const seen = origin.bytes();
  assert.deepEqual([m.sum('berth_upstream_sent_bytes_total', server), m.sum('berth_upstream_received_bytes_total', server)], seen);
  // Requests that did not wait count with 0.
  assert.equal(m.sum('berth_upstream_queue_wait_seconds_count', { upstream: 'app' }), 7);
  assert.equal(m.sum('berth_upstream_queue_wait_seconds_bucket', { upstream: 'app', le: '0.0001' }), 7);
});

scenario('counters survive reloads', async (s) => {
  const origin = await s.origin(app);
  const berth = await s.front(origin);
  for (let i = 0; i < 10; ++i) {
    await s.request(berth);
    await berth.reload(config(origin, { pool: { queue_size: 100 + i } }));
  }
  const m = await berth.measured((now) => now.sum('berth_client_requests_total') === 10);
  assert.equal(m.sum('berth_upstream_requests_total'), 10);
});

scenario('the admin listener bears clients that misbehave', async (s) => {
  const berth = await s.front(await s.origin());
  for (const bytes of ['GARBAGE\r\n\r\n', 'GET /metrics HTTP/1.1\r\n', 'POST /metrics HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`, '\0\0\0']) {
    const wire = await s.wire(berth.adminAddress);
    wire.write(bytes);
    await new Promise(setImmediate);
    wire.destroy();
  }
  assert.equal((await berth.page('/healthz')).status, 200);
  const got = await Promise.all(Array.from({ length: 50 }, () => berth.page('/metrics')));
  assert.ok(got.every(({ status }) => status === 200));
});

scenario('admin: off', async (s) => {
  const berth = await s.front(await s.origin(), { admin: 'off' });
  assert.equal(berth.adminAddress, null);
  assert.equal((await s.request(berth)).status, 200);
});
