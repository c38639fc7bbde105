// User instructions per small GET, counted by callgrind: the difference of two runs of different
// length, so that start-up, connecting and ending cancel out.
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { launch } from './contenders.mjs';
import { pins } from './machine.mjs';
import { run_load } from './processes.mjs';
import { print_table, whole } from './report.mjs';

const kTarget = { berth: 12_000 };
const kShort = 2_000;
const kLong = 12_000;

async function instructions_of(contender, origin, dir, requests) {
  const profile = path.join(dir, `callgrind.${contender.name}.${requests}`);
  const wrap = ['valgrind', '--tool=callgrind', `--callgrind-out-file=${profile}`];
  const proxy = await launch(contender, dir, origin, { max_clients: 64 }, { wrap });
  const report = await run_load(['--port', proxy.port, '--connections', 32, '--requests', requests], pins.load);
  await proxy.stop();
  const totals = /^(?:summary|totals): (\d+)/m.exec(readFileSync(profile, 'utf8'));
  if (totals === null) throw new Error(`no total in ${profile}`);
  return { count: Number(totals[1]), failures: report.failures, profile };
}

export async function measure_instructions(contenders, origin, dir) {
  const lines = [];
  for (const contender of contenders) {
    const short = await instructions_of(contender, origin, dir, kShort);
    const long = await instructions_of(contender, origin, dir, kLong);
    lines.push({
      name: contender.name,
      per_request: (long.count - short.count) / (kLong - kShort),
      failures: short.failures + long.failures,
      profile: long.profile,
    });
  }
  return lines;
}

export function print_instructions(lines) {
  console.log('\nuser instructions per small GET (callgrind)  [callgrind]');
  print_table(['', 'instructions', 'target', 'failed'], lines.map((line) => [
    line.name,
    line.failures > 0 ? 'void' : whole(line.per_request),
    kTarget[line.name] ? `<= ${whole(kTarget[line.name])}` : '',
    whole(line.failures),
  ]));
}
