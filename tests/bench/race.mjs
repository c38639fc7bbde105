// How many POSTs are lost when they are sent just as Node closes idle connections. See kHelp.
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { choose_contenders, launch, all_contenders } from './lib/contenders.mjs';
import { describe_machine } from './lib/machine.mjs';
import { fail, in_a_folder, start_app } from './lib/processes.mjs';
import { print_table, whole } from './lib/report.mjs';

const kHelp = `tests/bench/race [options]

Bursts of 50 POSTs spread over 200 ms around the moment at which Node's keepAliveTimeout closes the
connections of the last burst; keepAliveTimeout 5 s and 1 s; Node quiet and with a stalling event loop.
Prints, for each proxy, how many POSTs failed. No proxy is tuned for it. The exit status is 0 unless
something broke.

  --quick        keepAliveTimeout 1 s only: under two minutes instead of seven
  --only A,B     only these: ${all_contenders.map((each) => each.name).join(', ')}
  --bursts N     for each of the four cases; 22 unless told
`;

const kBurst = 50;
const kSpreadMs = 200;
const kCases = [
  { keep_alive_ms: 5000, stall: false },
  { keep_alive_ms: 5000, stall: true },
  { keep_alive_ms: 1000, stall: false },
  { keep_alive_ms: 1000, stall: true },
];
const app_file = fileURLToPath(new URL('race_app.mjs', import.meta.url));
const start_race_app = ({ keep_alive_ms, stall }) => start_app(app_file, [keep_alive_ms, ...(stall ? ['stall'] : [])]);

// When Node really closes an idle connection: some versions wait a second longer than they announce.
async function measure_close_ms(keep_alive_ms) {
  const app = await start_race_app({ keep_alive_ms, stall: false });
  const socket = net.connect(app.port, '127.0.0.1');
  socket.write('GET /small HTTP/1.1\r\nHost: app\r\n\r\n');
  await once(socket, 'data');
  const answered = performance.now();
  await once(socket.resume(), 'end');
  socket.end();
  app.child.kill('SIGKILL');
  return performance.now() - answered;
}

// Resolves to null when the POST was answered as it should be, to what went wrong otherwise.
function post(agent, port, id, hold_ms) {
  return new Promise((resolve) => {
    const options = { agent, port, host: '127.0.0.1', method: 'POST', path: `/?hold=${hold_ms}` };
    const request = http.request(options, async (response) => {
      try {
        let body = '';
        for await (const piece of response) body += piece;
        if (response.statusCode !== 200) resolve(`status ${response.statusCode}`);
        else resolve(body === id ? null : 'another request\'s answer');
      } catch (error) {
        resolve(`response: ${error.code}`);
      }
    });
    request.on('error', (error) => resolve(`request: ${error.code}`));
    request.setHeader('Content-Length', id.length);
    request.end(id);
  });
}

async function times_applied(port) {
  const response = await fetch(`http://127.0.0.1:${port}/applied`, { headers: { connection: 'close' } });
  return new Map(Object.entries(await response.json()));
}

// The bursts of one proxy in one case, one after the other: fill the pool, wait, fire.
async function race_one(contender, race_case, dir, bursts, delay_ms) {
  const app = await start_race_app(race_case);
  const proxy = await launch(contender, dir, app, { max_clients: 2 * kBurst });
  const agent = new http.Agent({ keepAlive: true, maxSockets: kBurst });
  const outcome = { sent: 0, failures: new Map(), failed_ids: [] };
  let next_id = 0;
  const burst = (hold_ms) => Promise.all(Array.from({ length: kBurst }, async () => {
    const id = `post-${next_id++}`;
    return { id, why: await post(agent, proxy.port, id, hold_ms) };
  }));
  await sleep(delay_ms);
  for (let i = 0; i < bursts; ++i) {
    await burst(100);  // each holds a connection of its own, so the pool is full afterwards
    await sleep(race_case.closes_after_ms + (i / Math.max(bursts - 1, 1) - 0.5) * kSpreadMs);
    for (const { id, why } of await burst(0)) {
      ++outcome.sent;
      if (why === null) continue;
      outcome.failures.set(why, (outcome.failures.get(why) ?? 0) + 1);
      outcome.failed_ids.push(id);
    }
  }
  const applied = await times_applied(app.port);
  agent.destroy();
  await proxy.stop();
  app.child.kill('SIGKILL');
  return {
    name: contender.name,
    sent: outcome.sent,
    failed: outcome.failed_ids.length,
    applied_twice: [...applied.values()].filter((times) => times > 1).length,
    failed_but_applied: outcome.failed_ids.filter((id) => applied.has(id)).length,
    why: [...outcome.failures].map(([why, count]) => `${count} ${why}`).join(', '),
  };
}

function print_case(title, lines) {
  console.log(`\n${title}`);
  print_table(['', 'POSTs', 'failed', 'of these applied', 'applied twice', 'how'], lines.map((line) => [
    line.name, whole(line.sent), whole(line.failed), whole(line.failed_but_applied),
    whole(line.applied_twice), line.why,
  ]));
}

function sum_up(lines_of_cases) {
  const totals = new Map();
  for (const line of lines_of_cases.flat()) {
    const total = totals.get(line.name) ??
      { name: line.name, sent: 0, failed: 0, failed_but_applied: 0, applied_twice: 0, why: '' };
    for (const key of ['sent', 'failed', 'failed_but_applied', 'applied_twice']) total[key] += line[key];
    totals.set(line.name, total);
  }
  return [...totals.values()];
}

async function main() {
  const { values: options } = parseArgs({
    options: {
      quick: { type: 'boolean' }, only: { type: 'string' }, bursts: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (options.help) return console.log(kHelp);
  const chosen = choose_contenders(all_contenders, options.only);
  const bursts = Number(options.bursts ?? 22);
  await in_a_folder('race', async (dir) => {
    const versions = chosen.map((contender) => contender.version());
    for (const line of [describe_machine()[0], ...versions, `Node ${process.version}`]) {
      console.log(line);
    }
    const lines_of_cases = [];
    for (const race_case of kCases) {
      if (options.quick && race_case.keep_alive_ms > 1000) continue;
      race_case.closes_after_ms = await measure_close_ms(race_case.keep_alive_ms);
      // All at the same time, each with a Node of its own, at different moments: mostly they wait.
      const apart_ms = race_case.keep_alive_ms / chosen.length;
      const lines = await Promise.all(chosen.map((contender, i) =>
        race_one(contender, race_case, dir, bursts, i * apart_ms)));
      const title = `keepAliveTimeout ${race_case.keep_alive_ms / 1000} s, ` +
        `${race_case.stall ? 'stalling' : 'quiet'} event loop; ` +
        `Node closes after ${(race_case.closes_after_ms / 1000).toFixed(2)} s`;
      print_case(title, lines);
      lines_of_cases.push(lines);
    }
    print_case('all cases', sum_up(lines_of_cases));
  });
}

await main().catch(fail);
