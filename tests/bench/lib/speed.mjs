// CPU time per request: rounds of all contenders in turn, so that what disturbs the machine disturbs
// all of them, and the median of the ratios of single rounds.
import { execFileSync } from 'node:child_process';

import { launch } from './contenders.mjs';
import { run_h2load } from './h2load.mjs';
import { pins } from './machine.mjs';
import { run_load } from './processes.mjs';
import { duration_us, fixed, median, print_table, whole } from './report.mjs';

const kConnections = 64;

async function measure_once(proxy, row, seconds) {
  if (row.h2load) {
    const requests = Math.round(row.h2load.requests_per_second * seconds);
    const report = await run_h2load({ port: proxy.port, ...row.h2load, requests }, proxy.pids, pins.load);
    return { ...report, cpu_us: report.cpu_ns / 1e3 / report.requests };
  }
  const report = await run_load([
    '--port', proxy.port, ...row.load,
    '--connections', row.connections ?? kConnections,
    '--warmup', seconds / 4, '--seconds', seconds * (row.seconds ?? 1),
    '--watch', proxy.pids.join(','),
  ], pins.load);
  return { ...report, cpu_us: report.cpu_ns / 1e3 / report.requests };
}

// Each round begins with another contender, so that none always follows the same.
function in_turn(list, round) {
  const first = round % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}

export async function measure_row(row, contenders, origin, dir, { rounds, seconds }) {
  const setup = { ...row.setup, max_clients: row.connections ?? kConnections };
  const proxies = [];
  for (const contender of contenders) {
    proxies.push(await launch(contender, dir, origin, setup, { cpu: pins.proxy }));
  }
  const results = new Map(proxies.map((proxy) => [proxy.name, []]));
  for (let round = 0; round < rounds; ++round) {
    for (const proxy of in_turn(proxies, round)) {
      results.get(proxy.name).push(await measure_once(proxy, row, seconds));
    }
  }
  for (const proxy of proxies) await proxy.stop();
  if (setup.access_log) check_logs(proxies, results);
  return summarise(row, results);
}

// A proxy that does not write the log that it is measured with has not taken part.
function check_logs(proxies, results) {
  for (const proxy of proxies) {
    const logged = parseInt(execFileSync('wc', ['-l', proxy.access_log], { encoding: 'utf8' }), 10);
    const measured = results.get(proxy.name).reduce((sum, run) => sum + run.requests, 0);
    if (logged < measured) throw new Error(`${proxy.name} logged ${logged} of ${measured} requests`);
  }
}

function summarise(row, results) {
  const names = [...results.keys()];
  const base = names[0];
  const lines = names.map((name) => {
    const runs = results.get(name);
    const pick = (key) => median(runs.map((run) => run[key]));
    const ratios = runs.map((run, i) => results.get(base)[i].cpu_us / run.cpu_us);
    return {
      name,
      cpu_us: pick('cpu_us'),
      ratio: name === base ? null : median(ratios),
      ratio_range: [Math.min(...ratios), Math.max(...ratios)],
      target: row.targets?.[name] ?? null,
      requests_per_second: median(runs.map((run) => run.requests / run.seconds)),
      p50_us: pick('p50_us'),
      p99_us: pick('p99_us'),
      requests: runs.reduce((sum, run) => sum + run.requests, 0),
      failures: runs.reduce((sum, run) => sum + run.failures, 0),
      first_failure: runs.find((run) => run.failures > 0)?.first_failure ?? null,
    };
  });
  return { id: row.id, title: row.title, base, lines };
}

export function print_row(row, summary) {
  const { base, lines } = summary;
  console.log(`\n${summary.title}  [${row.id}]`);
  const header = ['', 'CPU/request', `${base} to it`, 'spread', 'target', 'requests/s', 'p50', 'p99', 'failed'];
  print_table(header, lines.map((line) => {
    const void_row = line.failures > 0 || lines[0].failures > 0;
    const ratio = line.ratio === null ? '' : void_row ? 'void' : fixed(2)(line.ratio);
    return [
      line.name,
      `${fixed(2)(line.cpu_us)} us`,
      ratio,
      line.ratio === null ? '' : line.ratio_range.map(fixed(2)).join('-'),
      line.target === null ? '' : `<= ${fixed(2)(line.target)}`,
      whole(line.requests_per_second),
      duration_us(line.p50_us),
      duration_us(line.p99_us),
      whole(line.failures),
    ];
  }));
  for (const line of lines.filter((each) => each.failures > 0)) {
    console.log(`  ${line.name}: ${line.failures} failed, the first: ${line.first_failure}`);
  }
  print_latency_target(row, lines);
}

function print_latency_target(row, lines) {
  const other = lines.find((line) => line.name === row.p99_no_worse_than);
  if (!other || other === lines[0]) return;
  const ratio = lines[0].p99_us / other.p99_us;
  console.log(`  p99 of ${lines[0].name} to ${other.name}: ${fixed(2)(ratio)} (target <= 1.00)`);
}
