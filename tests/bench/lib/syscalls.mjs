// System calls per small GET, counted by strace: the difference of two runs of different length, so
// that accepting and closing cancel out.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { launch } from './contenders.mjs';
import { pins } from './machine.mjs';
import { run_load, start, stop } from './processes.mjs';
import { fixed, print_table, whole } from './report.mjs';

const kTarget = { berth: 4.2 };
const kShort = 2_000;
const kLong = 12_000;

async function attach(proxy, dir, name) {
  const counts = path.join(dir, `strace.${name}.counts`);
  const log = path.join(dir, `strace.${name}.log`);
  const args = ['-c', '-f', '-o', counts, ...proxy.pids.flatMap((pid) => ['-p', String(pid)])];
  const child = start('strace', args, { log });
  for (let attempt = 0; attempt < 100; ++attempt) {
    if (child.exitCode !== null) break;
    if (readFileSync(log, 'utf8').split(' attached').length > proxy.pids.length) return { child, counts };
    await sleep(50);
  }
  throw new Error(`strace does not attach:\n${readFileSync(log, 'utf8')}`);
}

// Lines of `strace -c`: % time, seconds, usecs/call, calls, [errors], name.
function read_counts(file) {
  const counts = new Map();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (!/^\d/.test(line.trim()) || fields.at(-1) === 'total') continue;
    counts.set(fields.at(-1), Number(fields[3]));
  }
  return counts;
}

async function count_run(proxy, dir, connections, requests) {
  const trace = await attach(proxy, dir, `${proxy.name}.${connections}.${requests}`);
  const load = ['--port', proxy.port, '--connections', connections, '--requests', requests];
  const report = await run_load(load, pins.load);
  await stop(trace.child, 'SIGINT');
  return { counts: read_counts(trace.counts), failures: report.failures };
}

export async function measure_syscalls(contenders, origin, dir) {
  const lines = [];
  for (const contender of contenders) {
    const proxy = await launch(contender, dir, origin, { max_clients: 64 }, { cpu: pins.proxy });
    for (const connections of [64, 1]) {
      await run_load(['--port', proxy.port, '--connections', connections, '--requests', 1000], pins.load);
      const short = await count_run(proxy, dir, connections, kShort);
      const long = await count_run(proxy, dir, connections, kLong);
      const calls = [...long.counts].map(([name, count]) =>
        [name, (count - (short.counts.get(name) ?? 0)) / (kLong - kShort)]);
      lines.push({
        name: contender.name,
        connections,
        per_request: calls.reduce((sum, [, count]) => sum + count, 0),
        calls: calls.filter(([, count]) => count >= 0.005).sort((a, b) => b[1] - a[1]),
        failures: short.failures + long.failures,
      });
    }
    await proxy.stop();
  }
  return lines.sort((a, b) => b.connections - a.connections);
}

export function print_syscalls(lines) {
  console.log('\nsystem calls per small GET (strace)  [syscalls]');
  print_table(['', 'clients', 'calls', 'target', 'failed', 'which'], lines.map((line) => [
    line.name,
    String(line.connections),
    line.failures > 0 ? 'void' : fixed(2)(line.per_request),
    line.connections > 1 && kTarget[line.name] ? `<= ${fixed(1)(kTarget[line.name])}` : '',
    whole(line.failures),
    line.calls.map(([name, count]) => `${name} ${fixed(2)(count)}`).join(', '),
  ]));
}
