// Which server gets a request: weights, hash, sticky sessions, backups, servers that come.
import assert from 'node:assert/strict';
import http from 'node:http';
import { Server as SocketIo } from 'socket.io';
import { io } from 'socket.io-client';
import { config, scenario } from './lib/scenario.mjs';
import { until, within } from './lib/wait.mjs';

// App servers that answer with their number.
function numbered(s, count) {
  return Promise.all(Array.from({ length: count }, (_, nth) => s.origin((request, response) => response.end(String(nth)))));
}

// How many of these answers came from each server.
function tally(answers, servers) {
  const counts = Array(servers).fill(0);
  for (const { status, body } of answers) {
    assert.equal(status, 200, body);
    ++counts[Number(body)];
  }
  return counts;
}

const near = (counts, expected, percent) =>
  counts.every((count, i) => Math.abs(count - expected[i]) <= expected[i] * percent / 100);

function within_percent(counts, expected, percent) {
  assert.ok(near(counts, expected, percent), `${counts} instead of ${expected}`);
}

async function repeat(count, what) {
  const out = [];
  for (let i = 0; i < count; ++i) out.push(await what(i));
  return out;
}

// Requests of `clients` clients at a time, each on its own kept connection.
async function crowd(s, berth, clients, each) {
  const answers = await Promise.all(Array.from({ length: clients }, async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    s.client(() => agent.destroy());
    return repeat(each, () => s.request(berth, { agent }));
  }));
  return answers.flat();
}

for (const balance of ['round_robin', 'least_requests', 'random_two']) {
  scenario(`${balance}: shares are by weight, over two workers`, async (s) => {
    const origins = await numbered(s, 3);
    const servers = origins.map((origin, i) => ({ address: origin.address, weight: i + 1 }));
    const berth = await s.berth(config([], { upstream: { servers, balance } }));
    const counts = tally(await crowd(s, berth, 6, 100), 3);
    // Those who take turns come within a few of each worker. What is under way counts first where the
    // fewest requests do, and those who draw lots come near.
    within_percent(counts, [100, 200, 300], { round_robin: 12, least_requests: 30, random_two: 40 }[balance]);
  });
}

scenario('after a scale-up from one server to four, each has its share', async (s) => {
  const origins = await numbered(s, 4);
  const settings = (count) => config(origins.slice(0, count), { access_log: 'off', workers: 3 });
  const berth = await s.berth(settings(1));
  assert.deepEqual(tally(await crowd(s, berth, 12, 20), 4), [240, 0, 0, 0]);
  assert.match(await berth.reload(settings(4)), /3 added/);
  // Workers take over one after the other.
  const seen = new Set();
  await until(async () => {
    for (const { body } of await crowd(s, berth, 8, 2)) seen.add(body);
    return seen.size === 4;
  }, 'all four to serve');
  // What is under way counts first: now and then a round is off by a little more.
  await until(async () => near(tally(await crowd(s, berth, 12, 100), 4), [300, 300, 300, 300], 10), 'fair shares');
});

scenario('hash by header: a key keeps its server; another server takes over while it is down', async (s) => {
  const origins = await numbered(s, 3);
  const berth = await s.front(origins, { upstream: { balance: 'hash', hash: { by: 'header', name: 'X-Tenant' } } });
  const ask = async (tenant) => {
    const { status, body } = await s.request(berth, { headers: { 'x-tenant': tenant } });
    assert.equal(status, 200);
    return Number(body);
  };
  const tenants = Array.from({ length: 30 }, (_, i) => `tenant-${i}`);
  const home = new Map();
  for (const tenant of tenants) home.set(tenant, await ask(tenant));
  assert.equal(new Set(home.values()).size, 3, 'all servers have some');
  for (const tenant of tenants) assert.equal(await ask(tenant), home.get(tenant));

  await origins[1].close();
  for (const tenant of tenants) {
    const now = await ask(tenant);
    if (home.get(tenant) === 1) assert.notEqual(now, 1);
    else assert.equal(now, home.get(tenant), 'only those of the lost server move');
  }
});

scenario('hash by client address: it is the one that a trusted proxy has seen', async (s) => {
  const origins = await numbered(s, 4);
  const berth = await s.front(origins, { upstream: { balance: 'hash' }, forwarding: { trusted_proxies: ['127.0.0.1'] } });
  const ask = async (address) => Number((await s.request(berth, { headers: { 'x-forwarded-for': address } })).body);
  const servers = new Set();
  for (let i = 0; i < 40; ++i) {
    const server = await ask(`192.0.2.${i}`);
    servers.add(server);
    assert.equal(await ask(`9.9.9.${i}, 192.0.2.${i}`), server);
  }
  assert.equal(servers.size, 4);
});

scenario('a sticky cookie: set once, kept to, renewed when its server is gone', async (s) => {
  const origins = await numbered(s, 3);
  const sticky = { cookie: 'berth_server', max_age: '1h', path: '/app', same_site: 'strict' };
  const settings = (servers) => config(servers, { upstream: { sticky } });
  const berth = await s.berth(settings(origins));
  const first = await s.request(berth);
  const [cookie] = first.headers['set-cookie'];
  assert.match(cookie, /^berth_server=[0-9a-f]{16}; Path=\/app; Max-Age=3600; HttpOnly; SameSite=Strict$/);
  const session = { cookie: `other=1; ${cookie.split(';')[0]}` };
  for (const { body, headers } of await repeat(12, () => s.request(berth, { headers: session }))) {
    assert.deepEqual([body, headers['set-cookie']], [first.body, undefined]);
  }
  // The server leaves the configuration: the session is another's now.
  await berth.reload(settings(origins.filter((_, i) => i !== Number(first.body))));
  const moved = await until(async () => {
    const answer = await s.request(berth, { headers: session });
    return answer.body !== first.body && answer;
  }, 'another server');
  const [renewed] = moved.headers['set-cookie'];
  assert.notEqual(renewed.split(';')[0], cookie.split(';')[0]);
  for (const { body } of await repeat(6, () => s.request(berth, { headers: { cookie: renewed.split(';')[0] } }))) {
    assert.equal(body, moved.body);
  }
});

scenario('a sticky session whose server dies goes on elsewhere, and no request is lost', async (s) => {
  const origins = await numbered(s, 2);
  const berth = await s.front(origins, { upstream: { sticky: { cookie: 'sid' } } });
  const first = await s.request(berth);
  const cookie = first.headers['set-cookie'][0].split(';')[0];
  await origins[Number(first.body)].close();
  const second = await s.request(berth, { headers: { cookie } });
  assert.equal(second.status, 200);
  assert.notEqual(second.body, first.body);
  assert.equal(second.headers['set-cookie'].length, 1);
});

scenario('a backup serves only while no other server may', async (s) => {
  const [main, backup] = await numbered(s, 2);
  const berth = await s.berth(config([], {
    upstream: { servers: [main.address, { address: backup.address, backup: true }] }, pool: { max_connections: 1 },
  }));
  // Even while the others are full.
  assert.deepEqual(tally(await crowd(s, berth, 8, 10), 2), [80, 0]);
  await main.close();
  assert.deepEqual(tally(await crowd(s, berth, 4, 5), 2), [0, 20]);
});

scenario('socket.io over polling: the requests of a session stay with the one of two servers that knows it', async (s) => {
  const servers = await Promise.all(['a', 'b'].map(async (name) => {
    const origin = await s.origin((request, response) => response.writeHead(404).end());
    const server = s.behind(new SocketIo(origin.server));
    server.on('connection', (socket) => socket.on('who', (answer) => answer(name)));
    return origin;
  }));
  const berth = await s.front(servers, { upstream: { balance: 'round_robin', sticky: { cookie: 'io_server' } } });
  const names = await Promise.all(Array.from({ length: 8 }, async () => {
    const client = io(berth.url, { transports: ['polling'], withCredentials: true, forceNew: true, reconnection: false });
    s.client(() => client.disconnect());
    await within(new Promise((resolve, reject) => client.on('connect', resolve).on('connect_error', reject)), 'socket.io to connect');
    const asked = await repeat(10, () => client.timeout(10_000).emitWithAck('who'));
    assert.equal(new Set(asked).size, 1);
    return asked[0];
  }));
  assert.deepEqual([...new Set(names)].sort(), ['a', 'b']);
});
