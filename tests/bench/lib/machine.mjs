// The machine that the benchmark runs on, and which of its processors does what.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

function allowed_cpus() {
  const list = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1];
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

const cpus = allowed_cpus();

// The proxy has a processor to itself; client and origin share another one, or have one each.
export const pins = {
  proxy: cpus[0],
  load: cpus[1] ?? cpus[0],
  origin: cpus[2] ?? cpus[1] ?? cpus[0],
};

// The first line that a command prints, or null when it is not installed.
export function first_line_of(command, args) {
  try {
    const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] };
    return execFileSync('/bin/sh', ['-c', '"$@" 2>&1', 'sh', command, ...args], options).split('\n')[0];
  } catch {
    return null;
  }
}

export function describe_machine() {
  const model = /model name\s*:\s*(.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? os.arch();
  const memory = (os.totalmem() / 2 ** 30).toFixed(0);
  const lines = [
    `${model}, ${cpus.length} processors, ${memory} GiB, Linux ${os.release()}`,
    `proxy on CPU ${pins.proxy}, client on CPU ${pins.load}, origin on CPU ${pins.origin}; ` +
      `load average ${os.loadavg()[0].toFixed(2)} at the start`,
  ];
  if (cpus.length < 2) lines.push('WARNING: one processor for everything; the numbers mean little');
  else if (os.loadavg()[0] > cpus.length) {
    lines.push('WARNING: the machine is busy; ratios hold, requests/s and latencies mean little');
  }
  return lines;
}
