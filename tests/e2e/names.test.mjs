// Host names of servers, resolved again and again by a DNS server of the test's own.
import assert from 'node:assert/strict';
import { Berth } from './lib/berth.mjs';
import { NameServer } from './lib/nameserver.mjs';
import { config, scenario } from './lib/scenario.mjs';
import { until } from './lib/wait.mjs';

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
  assert.match(await berth.reload(settings(dns, port, { upstream: { balance: 'random_two' } })), /1 resized/);
  assert.deepEqual(await answers(s, berth, 30), ips(all));
});

scenario('a single address goes by the name, and its label stays when it moves', async (s) => {
  const dns = await names(s);
  const { all, port } = await pods(s, 2);
  dns.set('app.test', ips(all.slice(0, 1)));
  const berth = await s.berth(settings(dns, port));
  assert.deepEqual(await answers(s, berth, 2), ['127.0.0.2']);
  dns.set('app.test', ips(all.slice(1)));
  await until(async () => (await answers(s, berth, 2)).join() === '127.0.0.3', 'the new address');
  const status = await berth.status();
  assert.deepEqual(status.upstreams[0].servers.map((one) => one.address), [`app.test:${port}`]);
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

scenario('a name without any address is an error at the start', async (s) => {
  const dns = await names(s);
  const berth = new Berth(settings(dns, 80));
  s.client(() => berth.dispose());
  const { code } = await berth.exited;
  assert.equal(code, 1);
  assert.match(berth.stderr, /error start: cannot resolve 'app\.test'/);
});
