// Berth, nginx and HAProxy beside each other. See kHelp; the method is described in README.md.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { choose_contenders, contenders } from './lib/contenders.mjs';
import { measure_instructions, print_instructions } from './lib/instructions.mjs';
import { describe_machine, pins } from './lib/machine.mjs';
import { measure_memory, print_memory } from './lib/memory.mjs';
import { fail, in_a_folder, start_origin } from './lib/processes.mjs';
import { idle_row, rows } from './lib/rows.mjs';
import { measure_row, print_row } from './lib/speed.mjs';
import { measure_syscalls, print_syscalls } from './lib/syscalls.mjs';

const kHelp = `tests/bench/run [options]

CPU time per request, latency and memory of Berth, nginx and HAProxy over the same origin, in one run.
It prints and does not judge: the exit status is 0 unless something broke.

  --quick            about a minute instead of five
  --rows A,B         only these rows: ${[...rows, idle_row].map((row) => row.id).join(', ')}
  --only A,B         only these contenders: ${contenders.map((each) => each.name).join(', ')}
  --callgrind        user instructions per small GET instead (needs valgrind)
  --syscalls         system calls per small GET instead (needs strace)
  --rounds N         rounds per row
  --seconds S        seconds per round
  --json FILE        write the results there, too
  --keep             leave configurations, logs and profiles in the temporary directory
`;

const kPlans = { full: { rounds: 5, seconds: 1.6 }, quick: { rounds: 3, seconds: 0.5 } };

function parse_arguments() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' }, rows: { type: 'string' }, only: { type: 'string' },
      callgrind: { type: 'boolean' }, syscalls: { type: 'boolean' }, rounds: { type: 'string' },
      seconds: { type: 'string' }, json: { type: 'string' }, keep: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  const plan = { ...(values.quick ? kPlans.quick : kPlans.full) };
  if (values.rounds) plan.rounds = Number(values.rounds);
  if (values.seconds) plan.seconds = Number(values.seconds);
  return { ...values, plan };
}

function choose_rows(wanted) {
  const all = [...rows, idle_row];
  if (wanted === undefined) return all;
  return wanted.split(',').map((id) => {
    const row = all.find((each) => each.id === id);
    if (!row) throw new Error(`no row ${id} (there are ${all.map((each) => each.id).join(', ')})`);
    return row;
  });
}

async function measure(options, chosen, origin, dir) {
  if (options.callgrind || options.syscalls) {
    const results = {};
    if (options.callgrind) {
      results.instructions = await measure_instructions(chosen, origin, dir);
      print_instructions(results.instructions);
    }
    if (options.syscalls) {
      results.syscalls = await measure_syscalls(chosen, origin, dir);
      print_syscalls(results.syscalls);
    }
    return results;
  }
  const results = { rows: [], memory: null };
  for (const row of choose_rows(options.rows)) {
    if (row === idle_row) {
      results.memory = await measure_memory(chosen, origin, dir);
      print_memory(results.memory);
    } else {
      const summary = await measure_row(row, chosen, origin, dir, options.plan);
      print_row(row, summary);
      results.rows.push(summary);
    }
  }
  return results;
}

async function main() {
  const options = parse_arguments();
  if (options.help) return console.log(kHelp);
  const chosen = choose_contenders(contenders, options.only);
  await in_a_folder('bench', async (dir) => {
    const machine = describe_machine();
    const versions = chosen.map((contender) => contender.version());
    for (const line of [...machine, ...versions]) console.log(line);
    const origin = await start_origin(dir, pins.origin);
    const results = await measure(options, chosen, origin, dir);
    if (options.json) writeFileSync(options.json, JSON.stringify({ machine, versions, ...results }, null, 2));
  }, { keep: options.keep });
}

await main().catch(fail);
