// How soon the load is even after a scale-up. See kHelp.
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { choose_contenders, contenders } from './lib/contenders.mjs';
import { describe_machine } from './lib/machine.mjs';
import { fail, free_port, in_a_folder, root, start, start_app, stop, wait_until_serving } from './lib/processes.mjs';
import { print_table } from './lib/report.mjs';

const kServers = 4;
const kWithin = 10;  // percent of the fair share
const kHelp = `tests/bench/scale [options]

One Node server under a steady load of keep-alive clients; then three more join by a reload. Prints, for each way to
balance, the share of each server in every second after that, and from which second on each is within
${kWithin} % of its fair share. The exit status is 0 unless something broke.

  --clients N    ${64} unless told
  --seconds S    after the reload; 10 unless told
  --workers N    of Berth; 4 unless told
`;

const app_file = fileURLToPath(new URL('scale_app.mjs', import.meta.url));

function settings({ port, admin, workers, balance }, servers) {
  const hash = balance === 'hash' ? { hash: { by: 'header', name: 'X-Key' } } : {};
  return JSON.stringify({
    workers,
    listeners: [{ address: `127.0.0.1:${port}`, keepalive_requests: 10_000_000 }],
    upstreams: { app: { servers, balance, ...hash } },
    admin: { address: `127.0.0.1:${admin}` },
    access_log: 'off',
  });
}

// Clients that ask again and again; counts[second][server] from `mark` on.
class Load {
  counts = [];
  failed = 0;
  #mark = performance.now();
  #stopped = false;

  constructor(port, clients) {
    this.agent = new http.Agent({ keepAlive: true, maxSockets: clients });
    this.done = Promise.all(Array.from({ length: clients }, () => this.#client(port)));
  }

  mark() {
    this.#mark = performance.now();
    this.counts = [];
  }

  async stop() {
    this.#stopped = true;
    await this.done;
    this.agent.destroy();
  }

  async #client(port) {
    while (!this.#stopped) {
      try {
        const server = await this.#ask(port);
        const second = Math.floor((performance.now() - this.#mark) / 1000);
        this.counts[second] ??= Array(kServers).fill(0);
        ++this.counts[second][server];
      } catch {
        ++this.failed;
      }
    }
  }

  #ask(port) {
    return new Promise((resolve, reject) => {
      const headers = { 'x-key': String(Math.random()) };
      http.get({ host: '127.0.0.1', port, agent: this.agent, headers }, async (response) => {
        let body = '';
        try {
          for await (const piece of response) body += piece;
        } catch (error) {
          reject(error);
        }
        if (response.statusCode === 200) resolve(Number(body));
        else reject(new Error(`status ${response.statusCode}`));
      }).on('error', reject);
    });
  }
}

function deviation(counts) {
  const fair = counts.reduce((a, b) => a + b) / kServers;
  return Math.max(...counts.map((count) => Math.abs(count / fair - 1))) * 100;
}

async function measure(balance, servers, options, dir) {
  const berth = { port: await free_port(), admin: await free_port(), workers: Number(options.workers), balance };
  const file = path.join(dir, `${balance}.yaml`);
  writeFileSync(file, settings(berth, servers.slice(0, 1)));
  const child = start(path.join(root, 'build/berth'), ['run', '-c', file], { log: path.join(dir, `${balance}.log`) });
  await wait_until_serving(child, berth.port, '/');
  const load = new Load(berth.port, Number(options.clients));
  await sleep(3000);
  writeFileSync(file, settings(berth, servers));
  child.kill('SIGHUP');
  load.mark();
  const seconds = Number(options.seconds);
  await sleep(seconds * 1000);
  const counts = load.counts.slice(0, seconds);
  await load.stop();
  await stop(child);
  let even = counts.length;
  while (even > 0 && deviation(counts[even - 1]) <= kWithin) --even;
  return { balance, counts, failed: load.failed, even };
}

function print(result) {
  console.log(`\n${result.balance}: ${result.failed} failed; ` + (result.even < result.counts.length
    ? `within ${kWithin} % from second ${result.even} on` : 'not even at the end'));
  const names = Array.from({ length: kServers }, (_, i) => `server ${i + 1}`);
  print_table(['second', 'requests', ...names, 'furthest off'], result.counts.map((counts, second) => {
    const all = counts.reduce((a, b) => a + b);
    const shares = counts.map((count) => `${(100 * count / all).toFixed(1)} %`);
    return [String(second), String(all), ...shares, `${deviation(counts).toFixed(1)} %`];
  }));
}

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '64' }, seconds: { type: 'string', default: '10' },
    workers: { type: 'string', default: '4' }, help: { type: 'boolean' },
  },
});
if (values.help) {
  console.log(kHelp);
  process.exit(0);
}
await in_a_folder('scale', async (dir) => {
  console.log([...describe_machine(), choose_contenders(contenders, 'berth')[0].version(), `Node ${process.version}`].join('\n'));
  const apps = await Promise.all(Array.from({ length: kServers }, (_, i) => start_app(app_file, [i])));
  const servers = apps.map(({ port }) => `127.0.0.1:${port}`);
  for (const balance of ['least_requests', 'round_robin', 'random_two', 'hash']) {
    print(await measure(balance, servers, values, dir));
  }
}).catch(fail);
