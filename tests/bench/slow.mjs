// What slow clients cost the others. See kHelp.
import { spawnSync } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { all_contenders, choose_contenders, launch } from './lib/contenders.mjs';
import { describe_machine } from './lib/machine.mjs';
import { fail, in_a_folder, start_app } from './lib/processes.mjs';
import { print_table, whole } from './lib/report.mjs';

const kHelp = `tests/bench/slow uploads|readers [options]

Slow clients in front of a Node server that is given four connections, and what they cost a client that sends 50 small
GETs a second: its latencies before and while they are there, and how many of its requests are not answered.

  uploads        500 clients send a body of 10,000 bytes at 10 bytes a second
  readers        200 clients read a response of 200 KiB at 5 KiB a second

No proxy is tuned for it, but each is told the bound of four where it has one: nginx answers 502 beyond it, the others
queue. The exit status is 0 unless something broke.

Run as root, it takes a network of its own whose socket buffers are no larger than those of a slow connection on the
Internet: over loopback the kernel alone would take 2.5 MB for each reader.

  --only A,B     only these: ${all_contenders.map((each) => each.name).join(', ')}
  --seconds S    for each of the two measurements of each proxy; 10 unless told
`;

const kPool = 4;
const kEveryMs = 20;
const kGivenUpMs = 5000;
const app_file = fileURLToPath(new URL('slow_app.mjs', import.meta.url));
const shows = {
  uploads: { clients: 500, request: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n' },
  readers: { clients: 200, request: 'GET /big HTTP/1.1\r\nHost: a\r\n\r\n' },
};

// Starts this program again in a network namespace with small socket buffers. False: not possible.
function entered_small_network() {
  if (process.env.BERTH_BENCH_NETWORK !== undefined) return false;
  const setup = 'ip link set lo up && echo "4096 16384 65536" > /proc/sys/net/ipv4/tcp_wmem && ' +
    'echo "4096 16384 65536" > /proc/sys/net/ipv4/tcp_rmem';
  if (spawnSync('unshare', ['-n', 'sh', '-c', setup], { stdio: 'ignore' }).status !== 0) {
    console.log('WARNING: no network of its own (not root): the kernel\'s buffers hide slow readers');
    return false;
  }
  const again = spawnSync('unshare', ['-n', 'sh', '-c', `${setup} && exec "$@"`, 'sh', process.execPath, ...process.argv.slice(1)],
    { stdio: 'inherit', env: { ...process.env, BERTH_BENCH_NETWORK: 'small' } });
  process.exitCode = again.status ?? 1;
  return true;
}

// Milliseconds; Infinity: not answered by 200 in time.
function get(agent, port) {
  return new Promise((resolve) => {
    const began = performance.now();
    const request = http.get({ agent, port, host: '127.0.0.1', path: '/small' }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200 ? performance.now() - began : Infinity))
        .on('error', () => resolve(Infinity));
    });
    request.setTimeout(kGivenUpMs, () => request.destroy());
    request.on('error', () => resolve(Infinity));
  });
}

async function measure(port, seconds) {
  const agent = new http.Agent({ keepAlive: true });
  const results = [];
  const began = performance.now();
  for (let i = 0; i < seconds * 1000 / kEveryMs; ++i) {
    results.push(get(agent, port));
    const ahead = began + (i + 1) * kEveryMs - performance.now();
    if (ahead > 0) await sleep(ahead);
  }
  const all = (await Promise.all(results)).sort((a, b) => a - b);
  agent.destroy();
  const at = (share) => all[Math.min(all.length - 1, Math.floor(all.length * share))];
  return { sent: all.length, failed: all.filter((ms) => ms === Infinity).length, p50: at(0.5), p99: at(0.99) };
}

// The slow clients, until they are stopped. An upload gets a byte every 100 ms; a reader takes 512 bytes every 100 ms.
async function begin_slow(show, kind, port) {
  const sockets = [];
  for (let i = 0; i < show.clients; ++i) {
    const socket = net.connect({ port, host: '127.0.0.1' }).on('error', () => {});
    if (kind === 'readers') socket.pause();
    socket.write(show.request);
    sockets.push(socket);
  }
  const timer = setInterval(() => {
    for (const socket of sockets) {
      if (kind === 'uploads') socket.write('x');
      else socket.read(512);
    }
  }, 100);
  await sleep(1000);
  return () => {
    clearInterval(timer);
    for (const socket of sockets) socket.destroy();
  };
}

async function show_one(contender, kind, dir, seconds) {
  const app = await start_app(app_file);
  const proxy = await launch(contender, dir, app, { max_clients: 1000, strict_bound: kPool });
  const before = await measure(proxy.port, seconds);
  const end_slow = await begin_slow(shows[kind], kind, proxy.port);
  const during = await measure(proxy.port, seconds);
  end_slow();
  await proxy.stop();
  app.child.kill('SIGKILL');
  return { name: contender.name, before, during };
}

function ms(value) {
  return value === Infinity ? 'none' : value.toFixed(1);
}

function print(kind, lines) {
  console.log(`\n${shows[kind].clients} slow ${kind}, ${kPool} connections; latencies of the others in ms`);
  print_table(['', 'p50 before', 'p99', 'failed', 'p50 with them', 'p99', 'failed', 'of'], lines.map((line) => [
    line.name, ms(line.before.p50), ms(line.before.p99), whole(line.before.failed),
    ms(line.during.p50), ms(line.during.p99), whole(line.during.failed), whole(line.during.sent),
  ]));
}

async function main() {
  const { values: options, positionals: [kind] } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string' }, seconds: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (options.help || shows[kind] === undefined) return console.log(kHelp);
  if (entered_small_network()) return;
  const chosen = choose_contenders(all_contenders, options.only);
  await in_a_folder('slow', async (dir) => {
    const versions = chosen.map((contender) => contender.version());
    for (const line of [describe_machine()[0], ...versions, `Node ${process.version}`]) console.log(line);
    const lines = [];
    for (const contender of chosen) lines.push(await show_one(contender, kind, dir, Number(options.seconds ?? 10)));
    print(kind, lines);
  });
}

await main().catch(fail);
