// Resident memory per idle client connection: opened a few at a time, one request on each.
import { launch } from './contenders.mjs';
import { pins } from './machine.mjs';
import { run_load } from './processes.mjs';
import { print_table, whole } from './report.mjs';
import { idle_row } from './rows.mjs';

export async function measure_memory(contenders, origin, dir) {
  const lines = [];
  for (const contender of contenders) {
    const setup = { max_clients: idle_row.connections };
    const proxy = await launch(contender, dir, origin, setup, { cpu: pins.proxy });
    const args = ['--port', proxy.port, '--watch', proxy.pids.join(',')];
    await run_load([...args, '--requests', 2000], pins.load);  // code and pools are in memory now
    const report = await run_load([...args, '--idle', '--connections', idle_row.connections], pins.load);
    await proxy.stop();
    lines.push({
      name: contender.name,
      before: report.rss_before,
      after: report.rss_after,
      per_connection: (report.rss_after - report.rss_before) / idle_row.connections,
      failures: report.failures,
    });
  }
  return lines;
}

export function print_memory(lines) {
  console.log(`\n${idle_row.title}  [${idle_row.id}]`);
  const nginx = lines.find((line) => line.name === 'nginx');
  print_table(['', 'each', 'target', 'before', 'after', 'failed'], lines.map((line) => [
    line.name,
    line.failures > 0 ? 'void' : `${whole(line.per_connection)} B`,
    line.name === 'berth' && nginx ? `<= ${whole(nginx.per_connection)} B` : '',
    `${whole(line.before / 1024)} KiB`,
    `${whole(line.after / 1024)} KiB`,
    whole(line.failures),
  ]));
}
