// What an operator's side must not do to the traffic: idle admin connections, a log that nobody reads, closed descriptors.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants, openSync, closeSync, readdirSync, readlinkSync, readSync, renameSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { Berth, runBerth } from './lib/berth.mjs';
import { config, scenario, target } from './lib/scenario.mjs';
import { until, within } from './lib/wait.mjs';

function ask(options) {
  return within(new Promise((resolve, reject) => {
    http.get({ agent: false, ...options }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => { body += text; }).on('end', () => resolve({ status: response.statusCode, body }));
    }).on('error', reject);
  }), `an answer to ${JSON.stringify(options)}`);
}

const descriptors = process.env.BERTH_SANITIZED ? 'sanitizers need file descriptors themselves' : false;
scenario('400 idle admin connections take no descriptors from clients, and Prometheus still gets in', { skip: descriptors }, async (s) => {
  const app = await s.origin((request, response) => response.end('ok'));
  const berth = await s.berth(config([app.address], { access_log: 'off' }), { files: 256 });
  const idle = [];
  s.client(() => idle.forEach((socket) => socket.destroy()));
  let ended = 0;
  while (idle.length < 400) {
    // As many as the backlog takes at once.
    for (let i = 0; i < 50; ++i) {
      idle.push(net.connect(berth.adminHttp()).on('error', () => {}).on('close', () => { ++ended; }).resume());
    }
    await until(() => ended >= idle.length - 64, 'all but 64 are closed');
  }
  for (let i = 0; i < 100; ++i) assert.equal((await s.request(berth, { agent: false })).status, 200);
  assert.equal((await berth.page('/metrics')).status, 200);
  assert.ok(readdirSync(`/proc/${berth.pid}/fd`).length < 160, 'few descriptors are open');
  for (const socket of idle) socket.destroy();
  await berth.stop();
  assert.ok(berth.log.split('\n').length < 12, berth.log);
});

// A FIFO that is open at both ends, so that neither waits for the other.
function fifo(folder, name) {
  const file = path.join(folder, name);
  execFileSync('mkfifo', [file]);
  return file;
}

scenario('a standard error that nobody reads holds up nothing', async (s) => {
  const app = await s.origin((request, response) => response.end('ok'));
  const log = fifo(s.folder(), 'log');
  const reader = openSync(log, constants.O_RDWR);
  const berth = new Berth(config([app.address], { access_log: 'off' }), { stderr: reader });
  s.behind({ close: () => berth.dispose() });
  const bytes = Buffer.alloc(65536);
  const said = String(bytes.subarray(0, readSync(reader, bytes)));
  const [, address, admin] = /listens on (\S+) with .*admin on (\S+)/.exec(said);
  berth.located(address, admin);
  // Each rejected reload is worth some 20 KB of log.
  const broken = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`${'x'.repeat(150)}${i}`, i]));
  const failures = async () => (await berth.metrics()).sum('berth_config_reloads_total', { result: 'failure' });
  berth.writeConfig(broken);
  const lost = async () => (await berth.metrics()).sum('berth_log_dropped_total');
  for (let round = 1; await lost() === 0; ++round) {
    assert.ok(round < 1000, 'there is a bound to what is kept');
    berth.kill('SIGHUP');
    await until(async () => await failures() >= round, `reload ${round} is rejected`);
  }
  assert.equal((await ask(target(berth))).status, 200);
  assert.equal((await berth.page('/healthz')).status, 200);
  berth.writeConfig(config([app.address], { access_log: 'off' }));
  berth.kill('SIGHUP');
  await until(async () => (await berth.status()).generation === 2, 'a reload');
  berth.kill('SIGTERM');
  assert.deepEqual(await within(berth.exited, 'the end'), { code: 0, signal: null });
  closeSync(reader);
});

scenario('started with standard output and error closed, it opens nothing in their place', async (s) => {
  const app = await s.origin((request, response) => response.end('ok'));
  const folder = s.folder();
  const [front, admin] = ['front', 'admin'].map((name) => path.join(folder, name));
  const berth = new Berth({ ...config([app.address]), listeners: [{ address: `unix:${front}` }], admin: { address: `unix:${admin}` } }, { closed: true });
  s.behind({ close: () => berth.dispose() });
  await until(async () => (await ask({ socketPath: admin, path: '/readyz' }).catch(() => ({}))).status === 200, 'it is ready');
  assert.equal((await ask({ socketPath: front, path: '/' })).body, 'ok');
  for (const fd of [1, 2]) assert.equal(readlinkSync(`/proc/${berth.pid}/fd/${fd}`), '/dev/null');
  berth.kill('SIGTERM');
  assert.deepEqual(await within(berth.exited, 'the end'), { code: 0, signal: null });
});

scenario('a configuration that is a pipe is refused at once', async (s) => {
  const app = await s.origin((request, response) => response.end('ok'));
  const checked = await runBerth(['check', fifo(s.folder(), 'pipe.yaml')]);
  assert.equal(checked.code, 2);
  assert.match(checked.stderr, /cannot be read: Not a file \(a pipe or a device cannot be read again at a reload: name a file\)/);
  const berth = await s.front([app.address]);
  renameSync(berth.file, `${berth.file}.good`);
  execFileSync('mkfifo', [berth.file]);
  assert.match(await berth.reload(), /rejected.*Not a file/);
  assert.equal((await s.request(berth)).status, 200);
  assert.equal((await berth.page('/healthz')).status, 200);
});

scenario('a server that fails is told of once, with the reason, and so is its recovery, with the access log off', async (s) => {
  const app = await s.origin((request, response) => response.end('ok'));
  const berth = await s.front([app.address], { access_log: 'off', pool: { wait_while_down: false } });
  assert.equal((await s.request(berth)).status, 200);
  const { port } = app.server.address();
  await app.close();
  const failed = await s.request(berth);
  assert.equal(failed.status, 502);
  assert.match(failed.body, /^502 Bad Gateway\n\nThe app server refused the connection\.\nrequest id: \S+\n$/);
  for (let i = 0; i < 12; ++i) await s.request(berth);
  await berth.logged(new RegExp(`warn server: app/${app.address} fails: the app server refused the connection\n`));
  await s.origin((request, response) => response.end('ok'), { where: { host: '127.0.0.1', port } });
  await until(async () => (await s.request(berth)).status === 200, 'it is back');
  await berth.logged(new RegExp(`info server: app/${app.address} answers again\n`));
  s.agent.destroy();
  await berth.stop();
  assert.equal(berth.log.match(/fails:/g).length, 1, berth.log);
});

scenario('berth status and berth reload, as an operator types them', async (s) => {
  const app = await s.origin((request, response) => response.end('ok'));
  const berth = await s.front([app.address], { access_log: 'off' });
  assert.equal((await s.request(berth, { agent: false })).status, 200);
  const admin = ['--admin', `127.0.0.1:${berth.adminAddress.port}`];
  const status = await runBerth(['status', ...admin]);
  assert.equal(status.code, 0, status.stderr);
  assert.match(status.stdout, /^berth \S+: ready, up \S+, 2 workers, configuration 1\n/);
  assert.match(status.stdout, new RegExp(`\nSERVER +STATE .*\napp/${app.address} +ready +0 +1 +0 +128 +0 +1 +0\n`));
  const json = await runBerth(['status', '--json', ...admin]);
  assert.equal(JSON.parse(json.stdout).upstreams[0].servers[0].address, app.address);

  berth.writeConfig(config([app.address], { access_log: 'off', pool: { max_connections: 7 } }));
  const done = await runBerth(['reload', ...admin]);
  assert.deepEqual([done.code, done.stderr], [0, '']);
  assert.match(done.stdout, /^servers: 1 changed/);
  berth.writeConfig({ listeners: 1 });
  const rejected = await runBerth(['reload', ...admin]);
  assert.deepEqual([rejected.code, rejected.stdout], [1, '']);
  assert.match(rejected.stderr, /listeners.*\n(.*\n)*rejected: the previous configuration stays in effect\n$/);
  const limit = async () => (await berth.status()).upstreams[0].servers[0].limit;
  assert.equal(await limit(), 7);
  await berth.stop();
  for (const command of ['status', 'reload']) {
    const gone = await runBerth([command, ...admin]);
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /^berth: 127\.0\.0\.1:\d+: .*refused/i);
  }
});
