// Host names of servers, resolved again and again by a DNS server of the test's own.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import https from 'node:https';
import { Berth, runBerth } from './lib/berth.mjs';
import { Authority } from './lib/certificates.mjs';
import { NameServer } from './lib/nameserver.mjs';
import { KernelWatch } from './lib/kernel.mjs';
import { readAll } from './lib/origin.mjs';
import { config, scenario } from './lib/scenario.mjs';
import { until, within } from './lib/wait.mjs';

// The same port on several loopback addresses: the pods of a headless service.
async function pods(s, count) {
  const first = await s.origin((request, response) => response.end('127.0.0.2'), { where: { host: '127.0.0.2', port: 0 } });
  const port = first.server.address().port;
  const all = [first];
  for (let i = 3; all.length < count; ++i) {
    const name = `127.0.0.${i}`;
    all.push(await s.origin((request, response) => response.end(name), { where: { host: name, port } }));
  }
  return { all, port };
}

async function names(s) {
  const dns = await new NameServer().listen();
  return s.behind(dns);
}

const ips = (list) => list.map((pod) => pod.server.address().address);
const settings = (dns, port, more = {}) => config(`app.test:${port}`, {
  resolver: { nameservers: [dns.address], min_ttl: '100ms', max_ttl: '200ms' },
  upstream: { balance: 'round_robin' },
  ...more,
});

async function answers(s, berth, times = 8) {
  const all = new Set();
  for (let i = 0; i < times; ++i) all.add((await s.request(berth, {})).body);
  return [...all].sort();
}

scenario('servers come and go with the answers of the name server; the others keep their connections', async (s) => {
  const dns = await names(s);
  const { all, port } = await pods(s, 3);
  dns.set('app.test', ips(all.slice(0, 2)));
  const berth = await s.berth(settings(dns, port));
  assert.deepEqual(await answers(s, berth), ips(all.slice(0, 2)));
  const warm = all[1].ports();
  assert.ok(warm.length > 0);

  // One goes, one comes; the answer is turned round.
  dns.set('app.test', [ips(all)[2], ips(all)[1]]);
  await until(async () => (await answers(s, berth)).join() === ips(all.slice(1)).join(), 'the new servers');
  await all[0].seen((o) => o.open.size === 0, 'the connections to the server that went to close');
  assert.ok(warm.some((one) => all[1].ports().includes(one)), 'the warm connections were kept');
  const metrics = await berth.metrics();
  assert.ok(metrics.sum('berth_name_resolutions_total', { result: 'changed' }) >= 1);
  assert.equal(metrics.samples.some((one) => one.labels.server === `127.0.0.2:${port}`), false, 'its series are gone');
  assert.deepEqual((await berth.status()).upstreams[0].servers.map((one) => one.address), [`127.0.0.3:${port}`, `127.0.0.4:${port}`]);
});

for (const how of ['silent', 'broken', undefined]) {
  scenario(`a name server that is ${how ?? 'ignorant'} at start keeps only its own upstream waiting`, async (s) => {
    const dns = await names(s);
    const { all, port } = await pods(s, 1);
    const other = await s.origin((request, response) => response.end('other'));
    if (how) dns.names.set('app.test', how);
    const given = settings(dns, port);
    given.upstreams.other = { servers: [other.address] };
    given.routes = [{ upstream: 'app' }, { path: '/other', upstream: 'other' }];
    const berth = await s.berth(given);
    await berth.logged(/warn names: app\.test:\d+ is not known yet: .*; it is asked for again/);
    assert.equal((await s.request(berth, { path: '/other' })).body, 'other');
    assert.equal((await s.request(berth)).status, 503);
    assert.equal((await berth.status()).upstreams.length, 2);
    dns.set('app.test', ips(all));
    await until(async () => (await s.request(berth)).status === 200, 'the name is known');
    await berth.logged(/info names: app\.test:\d+ is 127\.0\.0\.2:\d+\n/);
  });
}

scenario('more addresses than fit a datagram are asked for over TCP', async (s) => {
  const dns = await names(s);
  const { all, port } = await pods(s, 1);
  dns.set('app.test', [...ips(all), ...Array.from({ length: 150 }, (_, i) => `127.1.0.${i + 1}`)]);
  const berth = await s.berth(settings(dns, port));
  assert.equal((await berth.status()).upstreams[0].servers.length, 151);
  assert.ok(dns.queriesOverTcp > 0);
});

scenario('the last dot of a complete name', async (s) => {
  const dns = await names(s);
  const { all, port } = await pods(s, 1);
  dns.set('app.test', ips(all));
  const berth = await s.berth({ ...settings(dns, port), ...config(`app.test.:${port}`, { resolver: { nameservers: [dns.address], min_ttl: '100ms', max_ttl: '200ms' } }) });
  assert.equal((await s.request(berth)).status, 200);
});

scenario('a name that is not resolved any more keeps its last addresses', async (s) => {
  const dns = await names(s);
  const { all, port } = await pods(s, 2);
  dns.set('app.test', ips(all));
  const berth = await s.berth(settings(dns, port));
  for (const how of [undefined, 'broken']) {
    if (how === undefined) dns.names.delete('app.test');
    else dns.names.set('app.test', how);
    const before = (await berth.metrics()).sum('berth_name_resolutions_total', { result: 'failed' });
    await berth.measured((m) => m.sum('berth_name_resolutions_total', { result: 'failed' }) > before, 'a failed resolution');
    assert.deepEqual(await answers(s, berth), ips(all));
  }
  await berth.logged(/warn names: app\.test:\d+: .+; it keeps 127\.0\.0\.2:\d+, 127\.0\.0\.3:\d+/);
  // A reload does not need the name server either.
  assert.match(await berth.reload(settings(dns, port, { upstream: { balance: 'random_two' } })), /servers: 2 changed/);
  assert.deepEqual(await answers(s, berth, 30), ips(all));
});

scenario('a server goes by its address, and when its name moves it is another', async (s) => {
  const dns = await names(s);
  const { all, port } = await pods(s, 2);
  dns.set('app.test', ips(all.slice(0, 1)));
  const berth = await s.berth(settings(dns, port));
  assert.deepEqual(await answers(s, berth, 2), ['127.0.0.2']);
  dns.set('app.test', ips(all.slice(1)));
  await until(async () => (await answers(s, berth, 2)).join() === '127.0.0.3', 'the new address');
  const status = await berth.status();
  assert.deepEqual(status.upstreams[0].servers.map((one) => one.address), [`127.0.0.3:${port}`]);
});

scenario('a server that is written as a name, then as its address, is the same: warm connections and counters stay', async (s) => {
  const dns = await names(s);
  const { all: [pod], port } = await pods(s, 1);
  dns.set('app.test', ips([pod]));
  const berth = await s.berth(settings(dns, port));
  await answers(s, berth, 3);
  const warm = pod.ports();
  const opened = (await berth.metrics()).sum('berth_upstream_connections_opened_total');
  const by_address = { ...settings(dns, port), upstreams: { app: { servers: [`127.0.0.2:${port}`], balance: 'round_robin' } } };
  assert.match(await berth.reload(by_address), /servers: 1 kept;/);
  await answers(s, berth, 3);
  assert.ok(warm.every((one) => pod.ports().includes(one)));
  const m = await berth.metrics();
  assert.equal(m.sum('berth_upstream_connections_opened_total', { server: `127.0.0.2:${port}` }), m.sum('berth_upstream_connections_opened_total'));
  assert.ok(m.sum('berth_upstream_connections_opened_total') >= opened);
});

scenario('a server that is taken out of service by the name that the configuration gives it', async (s) => {
  const dns = await names(s);
  const { all, port } = await pods(s, 2);
  dns.set('app.test', ips(all));
  const berth = await s.berth(settings(dns, port));
  const { host, port: admin } = berth.adminAddress;
  const { stdout } = await runBerth(['drain', `app.test:${port}`, '--admin', `${host}:${admin}`]);
  for (const pod of all) assert.ok(stdout.includes(`app/${pod.address}`), stdout);
});

scenario('a name moves while a key file is half renewed: the new address is used, with the certificate in effect', async (s) => {
  const dns = await names(s);
  const authority = new Authority(s.folder());
  const pair = authority.issue('localhost');
  const { all, port } = await pods(s, 2);
  dns.set('app.test', ips(all.slice(0, 1)));
  const berth = await s.berth(settings(dns, port, { listener: { tls: { certificates: [pair.files] } } }));
  const agent = new https.Agent({ keepAlive: true, ca: authority.pem, servername: 'localhost' });
  s.client(() => agent.destroy());
  const ask = async () => (await within(new Promise((resolve, reject) => {
    https.get({ ...berth.address, agent, servername: 'localhost' }, (response) => readAll(response).then(resolve, reject)).on('error', reject);
  }), 'an answer over TLS'));
  assert.equal(await ask(), '127.0.0.2');
  // The key is there already, its certificate is not yet.
  writeFileSync(pair.files.key, authority.issue('localhost').key);
  dns.set('app.test', ips(all.slice(1)));
  await until(async () => (await ask()) === '127.0.0.3', 'the new address');
  // A reload in this moment is rejected with the file and its place, and changes nothing.
  assert.match(await berth.reload(), /^rejected, the previous configuration stays in effect: \S+berth\.yaml:\d+:\d+: error: key \S+ does not belong to certificate/);
  assert.equal(await ask(), '127.0.0.3');
});

scenario('resolver: off resolves at start and on reload only; /etc/hosts needs no name server', async (s) => {
  const dns = await names(s);
  const { all, port } = await pods(s, 2);
  dns.set('app.test', ips(all.slice(0, 1)));
  const local = await s.origin();
  const berth = await s.berth({
    ...settings(dns, port),
    resolver: { enabled: false, nameservers: [dns.address], min_ttl: '100ms', max_ttl: '200ms' },
    upstreams: {
      app: { servers: [`app.test:${port}`] },
      local: { servers: [`localhost:${local.address.split(':').pop()}`] },
    },
    routes: [{ path: '/', upstream: 'app' }, { path: '/local', upstream: 'local' }],
  });
  const asked = dns.queries;
  assert.equal((await s.request(berth, { path: '/local' })).body, 'ok');
  dns.set('app.test', ips(all.slice(1)));
  await new Promise((resolve) => setTimeout(resolve, 500));  // long past max_ttl
  assert.deepEqual(await answers(s, berth, 3), ['127.0.0.2']);
  assert.equal(dns.queries, asked);
  await berth.reload();
  await until(async () => (await answers(s, berth, 3)).join() === '127.0.0.3', 'the new address');
});

scenario('a name without any address is an error where it is asked for only once, and rejects a reload', async (s) => {
  const dns = await names(s);
  const once = { resolver: { enabled: false, nameservers: [dns.address] } };
  const berth = new Berth(settings(dns, 80, once));
  s.client(() => berth.dispose());
  const { code } = await berth.exited;
  assert.equal(code, 1);
  assert.match(berth.log, /error start: \S+berth\.yaml:\d+:\d+: error: cannot resolve 'app\.test'/);
  const { all, port } = await pods(s, 1);
  dns.set('known.test', ips(all));
  const running = await s.berth(config(`known.test:${port}`, { resolver: { nameservers: [dns.address] } }));
  assert.match(await running.reload(settings(dns, port)), /rejected.*cannot resolve 'app\.test'/);
  assert.equal((await s.request(running)).status, 200);
});

// --- Names with addresses of both families

const BOTH = ['127.0.0.1', '::1'];

// An app of which the name server knows both addresses, and that listens on `host`.
async function dual(s, host, handler = (request, response) => response.end(host)) {
  const dns = await names(s);
  dns.set('app.test', BOTH);
  const app = await s.origin(handler, { where: { host, port: 0 } });
  return { dns, app, port: app.server.address().port };
}

scenario('an app on :: whose name has an address of each family is one server: it sees no more than its bound', async (s) => {
  const waiting = [];
  const { dns, app, port } = await dual(s, '::', (request, response) => waiting.push(response));
  const watch = await KernelWatch.start(port);
  s.client(() => watch.close());
  const berth = await s.berth(settings(dns, port, { upstream: { pool: { max_connections: 8 } } }));
  const answers = Array.from({ length: 40 }, () => s.request(berth));
  await until(() => waiting.length === 8, 'eight requests at the app');
  await berth.measured((m) => m.sum('berth_upstream_queue_length') === 32, 'all others to wait');
  assert.equal(app.open.size, 8);
  const serve = setInterval(() => waiting.splice(0).forEach((response) => response.end('ok')), 5);
  s.client(() => clearInterval(serve));
  for (const answer of await within(Promise.all(answers), 'all answers')) assert.equal(answer.status, 200);
  await watch.neverMoreThan(8);
  const { servers } = (await berth.status()).upstreams[0];
  assert.deepEqual(servers.map((one) => one.address), [`127.0.0.1:${port}`]);
});

for (const host of ['127.0.0.1', '::1', '0.0.0.0']) {
  scenario(`an app that listens on ${host} only, by a name with an address of each family`, async (s) => {
    const { dns, app, port } = await dual(s, host);
    const berth = await s.berth(settings(dns, port, { upstream: { health: { path: '/', interval: '100ms' } } }));
    for (let i = 0; i < 4; ++i) assert.equal((await s.request(berth, { body: 'x' })).body, host);
    await berth.measured((m) => m.sum('berth_upstream_health_checks_total', { result: 'passed' }) >= 2, 'checks');
    const m = await berth.metrics();
    assert.equal(m.sum('berth_upstream_connect_failures_total'), 0, 'that the other address answers is no failure');
    assert.equal(m.sum('berth_upstream_health_checks_total', { result: 'failed' }), 0);
    assert.ok(app.open.size > 0);
  });
}

scenario('the app moves from one family to the other, as when it restarts with other settings: no request fails', async (s) => {
  const { dns, app, port } = await dual(s, '127.0.0.1');
  const berth = await s.berth(settings(dns, port));
  assert.equal((await s.request(berth)).body, '127.0.0.1');
  await app.close();
  await s.origin((request, response) => response.end('::1'), { where: { host: '::1', port } });
  for (let i = 0; i < 3; ++i) assert.equal((await s.request(berth, { body: 'x' })).body, '::1');
});

scenario('neither address answers: 502 as for any server', async (s) => {
  const { dns, app, port } = await dual(s, '127.0.0.1');
  await app.close();
  const berth = await s.berth(settings(dns, port));
  const got = await s.request(berth);
  assert.equal(got.status, 502);
  assert.match(got.headers['proxy-status'], /details="connect_refused"/);
});

scenario('pods with addresses of both families: those of one are used; check says which', async (s) => {
  const dns = await names(s);
  const { all, port } = await pods(s, 2);
  dns.set('app.test', [...ips(all), '::1', '::2']);
  const berth = await s.berth(settings(dns, port));
  assert.deepEqual(await answers(s, berth), ips(all));
  assert.equal((await berth.status()).upstreams[0].servers.length, 2);
  const check = async () => (await runBerth(['check', berth.file])).stdout;
  assert.match(await check(), /^upstreams\.app: app\.test:\d+ is 127\.0\.0\.2:\d+, 127\.0\.0\.3:\d+ \(one family is used: not \[::1\]:\d+, \[::2\]:\d+\)\n/);
  dns.set('app.test', BOTH);
  assert.match(await check(), /^upstreams\.app: app\.test:\d+ is 127\.0\.0\.1:\d+, or \[::1\]:\d+ if that does not answer\n/);
  dns.names.delete('app.test');
  assert.match(await check(), /^upstreams\.app: app\.test:\d+ is not known here: .+\n.*: ok\n/);
});
