// HTTP/2: h2load (Debian's nghttp2-client) in place of our own load generator, with the same report.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';

import { watched } from './processes.mjs';

// CPU time of a process since its start, all its threads, in nanoseconds.
function cpu_ns(pid) {
  return readdirSync(`/proc/${pid}/task`)
    .map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]))
    .reduce((sum, ns) => sum + ns, 0);
}

function duration_us(text) {
  const [, number, unit] = /^([\d.]+)(us|ms|s)$/.exec(text);
  return Number(number) * { us: 1, ms: 1e3, s: 1e6 }[unit];
}

// Requests of `streams` at a time on each of `connections`, for `seconds`; latencies are means.
export async function run_h2load({ scheme = 'http', port, path, connections, streams, requests }, pids, cpu) {
  const argv = ['-c', String(cpu), 'h2load', '-n', String(requests), '-c', String(connections),
    '-m', String(streams), `${scheme}://127.0.0.1:${port}${path}`];
  const before = pids.map(cpu_ns);
  const child = watched(spawn('taskset', argv, { stdio: ['ignore', 'pipe', 'inherit'] }));
  let output = '';
  child.stdout.on('data', (data) => { output += data; });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`h2load ended with ${code}`);
  const counts = /requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded/.exec(output);
  const took = /finished in (\S+), ([\d.]+) req\/s/.exec(output);
  const times = /time for request:\s+\S+\s+(\S+)\s+(\S+)/.exec(output);
  return {
    requests: Number(counts[2]),
    failures: Number(counts[1]) - Number(counts[2]),
    first_failure: 'see h2load',
    seconds: Number(counts[2]) / Number(took[2]),
    cpu_ns: pids.reduce((sum, pid, i) => sum + cpu_ns(pid) - before[i], 0),
    p50_us: duration_us(times[2]),
    p99_us: duration_us(times[1]),
  };
}
