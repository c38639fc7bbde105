// TLS through Berth and nginx. See kHelp.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { choose_contenders, contenders, launch } from './lib/contenders.mjs';
import { describe_machine, pins } from './lib/machine.mjs';
import { root, start_origin, stop_all } from './lib/processes.mjs';
import { fixed, median, print_table, whole } from './lib/report.mjs';

const kIdle = 3000;
const kHelp = `tests/bench/tls [options]

TLS 1.3 to clients, through Berth and nginx with one worker each over the same origin: the proxy's CPU time for each
request and each handshake, and its memory for each of ${whole(kIdle)} idle connections. The key is RSA with 2,048 bits.
It prints and does not judge: the exit status is 0 unless something broke.

  --quick            fewer and shorter rounds
  --rounds N         rounds per row
  --rows A,B         only these rows: get, 64k, 1m, full, resumed, idle
  --only A,B         only these: ${contenders.map((each) => each.name).join(', ')}; berth,nginx unless told
  --callgrind        user instructions instead (needs valgrind)
  --keep             leave configurations, logs and profiles in the temporary directory
`;

// `count`: how many requests or connections are measured in a round.
const rows = [
  { id: 'get', title: 'small GET, keep-alive', mode: 'get', count: 32_000, path: '/small', size: 200, target: 0.85 },
  { id: '64k', title: '64 KiB response bodies', mode: 'get', count: 6_000, path: '/64k', size: 64 * 1024 },
  { id: '1m', title: '1 MiB response bodies', mode: 'get', count: 640, path: '/1m', size: 1024 * 1024, target: 0.85 },
  { id: 'full', title: 'full handshake and a small GET', mode: 'full', count: 1200, path: '/small', size: 200, target: 0.95 },
  { id: 'resumed', title: 'resumed handshake and a small GET', mode: 'resumed', count: 3200, path: '/small', size: 200, target: 1.0 },
];
const idle = { id: 'idle', title: `memory of each of ${whole(kIdle)} idle connections`, mode: 'idle', count: kIdle, path: '/small', size: 200 };
const setup = { tls: true, max_clients: kIdle };

async function run_load(proxy, row, count) {
  const args = [proxy.port, row.mode, count, row.path, row.size, proxy.pids.join(',')].map(String);
  const argv = ['-c', String(pins.load), path.join(root, 'build/bench/tls_load'), ...args];
  const child = spawn('taskset', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data) => { output += data; });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`tls_load ${args.join(' ')} on ${proxy.name} ended with ${code}`);
  return JSON.parse(output);
}

async function launch_all(chosen, origin, dir) {
  const proxies = [];
  for (const contender of chosen) proxies.push(await launch(contender, dir, origin, setup, { cpu: pins.proxy }));
  return proxies;
}

// Rounds in turn, and the median of the ratios of single rounds, as in lib/speed.mjs.
async function measure_row(row, proxies, { rounds, share }) {
  const times = new Map(proxies.map((proxy) => [proxy.name, []]));
  const count = Math.round(row.count * share);
  for (let round = 0; round < rounds; ++round) {
    const first = round % proxies.length;
    for (const proxy of [...proxies.slice(first), ...proxies.slice(0, first)]) {
      const { cpu_ns } = await run_load(proxy, row, count);
      times.get(proxy.name).push(cpu_ns / 1e3 / count);
    }
  }
  const base = proxies[0].name;
  console.log(`\n${row.title}  [${row.id}]`);
  print_table(['', 'CPU for each', `${base} to it`, 'spread', 'target'], proxies.map(({ name }) => {
    const ratios = times.get(name).map((time, i) => times.get(base)[i] / time);
    const others = name === base ? ['', '', ''] : [
      fixed(2)(median(ratios)),
      [Math.min(...ratios), Math.max(...ratios)].map(fixed(2)).join('-'),
      name === 'nginx' && row.target !== undefined ? `<= ${fixed(2)(row.target)}` : '',
    ];
    return [name, `${fixed(1)(median(times.get(name)))} us`, ...others];
  }));
}

async function measure_idle(proxies) {
  const results = [];
  for (const proxy of proxies) {
    const { rss_before, rss_after } = await run_load(proxy, idle, idle.count);
    results.push({ name: proxy.name, each: (rss_after - rss_before) / idle.count });
  }
  const nginx = results.find(({ name }) => name === 'nginx');
  console.log(`\n${idle.title}  [${idle.id}]`);
  print_table(['', 'each', 'target'], results.map(({ name, each }) =>
    [name, `${whole(each)} B`, name === 'berth' && nginx ? `<= ${whole(nginx.each)} B` : '']));
}

// Of the whole process: between a run of `few` and one of `many`, start and end cancel out.
async function measure_instructions(chosen, origin, dir, wanted) {
  for (const row of wanted) {
    const few = Math.ceil(row.count / 60);
    const many = few * 6;
    const lines = [];
    for (const contender of chosen) {
      const counts = [];
      for (const count of [few, many]) {
        const profile = path.join(dir, `callgrind.${contender.name}.${row.id}.${count}`);
        const wrap = ['valgrind', '--tool=callgrind', `--callgrind-out-file=${profile}`];
        const proxy = await launch(contender, dir, origin, setup, { wrap });
        await run_load(proxy, row, count);
        await proxy.stop();
        counts.push(total_of(profile));
      }
      // A tenth comes before the measured ones.
      lines.push([contender.name, whole((counts[1] - counts[0]) / ((many - few) * 1.1))]);
    }
    console.log(`\n${row.title}: user instructions for each (callgrind)  [${row.id}]`);
    print_table(['', 'instructions'], lines);
  }
}

function total_of(profile) {
  const totals = /^(?:summary|totals): (\d+)/m.exec(readFileSync(profile, 'utf8'));
  if (totals === null) throw new Error(`no total in ${profile}`);
  return Number(totals[1]);
}

function parse_arguments() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' }, rounds: { type: 'string' }, rows: { type: 'string' }, only: { type: 'string' },
      callgrind: { type: 'boolean' }, keep: { type: 'boolean' }, help: { type: 'boolean' },
    },
  });
  const known = [...rows, idle];
  const wanted = values.rows?.split(',') ?? known.map((row) => row.id);
  const chosen = wanted.map((id) => {
    const row = known.find((each) => each.id === id);
    if (!row) throw new Error(`no row ${id} (there are ${known.map((each) => each.id).join(', ')})`);
    return row;
  });
  const rounds = Number(values.rounds ?? (values.quick ? 3 : 7));
  return { ...values, chosen, plan: { rounds, share: values.quick ? 0.25 : 1 } };
}

async function main() {
  const options = parse_arguments();
  if (options.help) return console.log(kHelp);
  const chosen = choose_contenders(contenders, options.only ?? 'berth,nginx');
  const dir = mkdtempSync(path.join(os.tmpdir(), 'berth-tls-'));
  try {
    for (const line of [...describe_machine(), ...chosen.map((each) => each.version())]) console.log(line);
    const origin = await start_origin(dir, pins.origin);
    const speed = options.chosen.filter((row) => row !== idle);
    if (options.callgrind) {
      await measure_instructions(chosen, origin, dir, speed);
      return;
    }
    const proxies = await launch_all(chosen, origin, dir);
    for (const row of speed) await measure_row(row, proxies, options.plan);
    if (options.chosen.includes(idle)) await measure_idle(proxies);
  } finally {
    await stop_all();
    if (options.keep) console.log(`\nleft in ${dir}`);
    else rmSync(dir, { recursive: true, force: true });
  }
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    await stop_all();
    process.exit(130);
  });
}

await main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
