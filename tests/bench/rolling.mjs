// What a rolling restart of the app servers costs. See kHelp.
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { all_contenders, choose_contenders, launch } from './lib/contenders.mjs';
import { describe_machine } from './lib/machine.mjs';
import { fail, free_port, in_a_folder, start_app, stop } from './lib/processes.mjs';
import { print_table, whole } from './lib/report.mjs';

const kHelp = `tests/bench/rolling [options]

Two Node servers behind each proxy, restarted in turn all the time, once by SIGTERM (and a graceful close), once by
SIGKILL, under 200 requests a second: half of them GETs, a quarter POSTs, a quarter POSTs with an Idempotency-Key.
Prints, for each proxy, how many failed, and how many plain POSTs the servers have applied twice. No proxy is tuned for
it, except that HAProxy retries ("retry-on conn-failure empty-response"). The exit status is 0 unless something broke.

  --only A,B     only these: ${all_contenders.map((each) => each.name).join(', ')}
  --seconds S    for each proxy; 30 unless told
`;

const kEveryMs = 5;
const kBetweenRestartsMs = 700;
// A POST that failed so has sent nothing: another server could have had it.
const kNothingSent = new Set(['connect_refused', 'connect_timeout', 'connect_unreachable', 'connect_failed',
  'no_server', 'no_local_resources', 'queue_full', 'queue_timeout', 'bytes_while_idle']);
const app_file = fileURLToPath(new URL('rolling_app.mjs', import.meta.url));

// {why: null} if the request was answered as it should be, otherwise what went wrong.
function send(agent, port, kind, id) {
  return new Promise((resolve) => {
    const method = kind === 'get' ? 'GET' : 'POST';
    const request = http.request({ agent, port, host: '127.0.0.1', method, path: '/' }, async (response) => {
      try {
        let body = '';
        for await (const piece of response) body += piece;
        const label = /details="(\w+)"/.exec(response.headers['proxy-status'] ?? '')?.[1] ?? '';
        if (response.statusCode !== 200) resolve({ why: `${response.statusCode} ${label}`.trim(), label });
        else resolve({ why: body === (kind === 'get' ? 'ok' : id) ? null : 'another request\'s answer' });
      } catch (error) {
        resolve({ why: `response: ${error.code}` });
      }
    });
    request.on('error', (error) => resolve({ why: `request: ${error.code}` }));
    if (kind === 'get') return request.end();
    request.setHeader('Content-Length', id.length);
    if (kind === 'keyed') request.setHeader('Idempotency-Key', id);
    request.end(id);
  });
}

// One server after the other, until `over` is done: by SIGTERM, by SIGKILL.
async function restart_in_turn(servers, file, over) {
  let count = 0;
  for (; !over.done; ++count) {
    const server = servers[count % 2];
    const exited = once(server.child, 'exit');
    server.child.kill(Math.floor(count / 2) % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
    await exited;
    server.child = (await start_app(app_file, [server.port, file])).child;
    await sleep(kBetweenRestartsMs);
  }
  return count;
}

async function roll_one(contender, dir, seconds) {
  const file = path.join(dir, `applied-${contender.name}`);
  const servers = [];
  for (let i = 0; i < 2; ++i) {
    const port = await free_port();
    servers.push(await start_app(app_file, [port, file]));
  }
  const proxy = await launch(contender, dir, null, { max_clients: 400, servers: servers.map((server) => server.port) });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });
  const kinds = ['get', 'post', 'get', 'keyed'];
  const results = [];
  const over = { done: false };
  const restarting = restart_in_turn(servers, file, over);
  const began = performance.now();
  for (let i = 0; i < seconds * 1000 / kEveryMs; ++i) {
    const kind = kinds[i % kinds.length];
    const id = `${kind}-${i}`;
    results.push(send(agent, proxy.port, kind, id).then((result) => ({ kind, id, ...result })));
    const ahead = began + (i + 1) * kEveryMs - performance.now();
    if (ahead > 1) await sleep(ahead);
  }
  const all = await Promise.all(results);
  over.done = true;
  const restarts = await restarting;
  agent.destroy();
  await proxy.stop();
  await Promise.all(servers.map(({ child }) => stop(child, 'SIGKILL')));
  return { name: contender.name, restarts, ...judge(all, file) };
}

function judge(all, file) {
  const times = new Map();
  const lines = existsSync(file) ? readFileSync(file, 'latin1').split('\n').slice(0, -1) : [];
  for (const id of lines) times.set(id, (times.get(id) ?? 0) + 1);
  const of = (kind) => all.filter((each) => each.kind === kind);
  const failed = (kind) => of(kind).filter((each) => each.why !== null);
  const why = new Map();
  for (const { kind, why: reason } of all) {
    if (reason !== null) why.set(`${kind} ${reason}`, (why.get(`${kind} ${reason}`) ?? 0) + 1);
  }
  return {
    gets: of('get').length, failed_gets: failed('get').length,
    keyed: of('keyed').length, failed_keyed: failed('keyed').length,
    posts: of('post').length, failed_posts: failed('post').length,
    failed_unsent: failed('post').filter((each) => kNothingSent.has(each.label)).length,
    failed_but_applied: failed('post').filter((each) => times.has(each.id)).length,
    applied_twice: of('post').filter((each) => (times.get(each.id) ?? 0) > 1).length,
    why: [...why].map(([reason, count]) => `${count} ${reason}`).join(', '),
  };
}

function print(lines) {
  console.log('');
  print_table(['', 'restarts', 'GETs', 'failed', 'keyed POSTs', 'failed', 'POSTs', 'failed', 'unsent', 'but applied',
    'applied twice'], lines.map((line) => [
    line.name, whole(line.restarts), whole(line.gets), whole(line.failed_gets), whole(line.keyed),
    whole(line.failed_keyed), whole(line.posts), whole(line.failed_posts), whole(line.failed_unsent),
    whole(line.failed_but_applied), whole(line.applied_twice),
  ]));
  for (const line of lines) if (line.why !== '') console.log(`  ${line.name}: ${line.why}`);
}

async function main() {
  const { values: options } = parseArgs({
    options: { only: { type: 'string' }, seconds: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (options.help) return console.log(kHelp);
  const chosen = choose_contenders(all_contenders, options.only);
  await in_a_folder('rolling', async (dir) => {
    const versions = chosen.map((contender) => contender.version());
    for (const line of [describe_machine()[0], ...versions, `Node ${process.version}`]) console.log(line);
    const lines = [];
    for (const contender of chosen) lines.push(await roll_one(contender, dir, Number(options.seconds ?? 30)));
    print(lines);
  });
}

await main().catch(fail);
