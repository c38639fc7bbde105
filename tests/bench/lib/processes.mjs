// Starting and stopping the processes of the benchmark: only those that it has started itself.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const tools = path.join(root, 'build/bench');
const running = new Set();
let interrupted = false;

// Runs `command` on the given processor (anywhere when null) with its output in `log`.
export function start(command, args, { cpu = null, log, env = {} }) {
  const output = openSync(log, 'a');
  const argv = cpu === null ? [command, ...args] : ['taskset', '-c', String(cpu), command, ...args];
  const child = spawn(argv[0], argv.slice(1), {
    cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', output, output],
  });
  closeSync(output);
  child.log = log;
  child.on('error', () => {});
  return watched(child);
}

// Ends with the benchmark, if it has not by then.
export function watched(child) {
  running.add(child);
  child.once('exit', () => running.delete(child));
  if (interrupted) child.kill('SIGKILL');
  return child;
}

// An app server of Node, which prints the port that it listens on: {port, child}.
export async function start_app(file, args = []) {
  const child = watched(spawn(process.execPath, [file, ...args.map(String)], { stdio: ['ignore', 'pipe', 'inherit'] }));
  const [line] = await once(child.stdout, 'data');
  return { port: Number(line), child };
}

export async function stop(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  const killer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  await exited;
  clearTimeout(killer);
}

export async function stop_all() {
  await Promise.all([...running].map((child) => stop(child, 'SIGKILL')));
}

// A whole benchmark: `run(dir)` in a folder of its own. However it ends, what it has started ends too, and the folder
// goes, unless it is to be kept.
export async function in_a_folder(name, run, { keep = false } = {}) {
  const dir = mkdtempSync(path.join(os.tmpdir(), `berth-${name}-`));
  const end = async () => {
    await stop_all();
    if (keep) console.log(`\nleft in ${dir}`);
    else rmSync(dir, { recursive: true, force: true });
  };
  // The last resort, as when nobody reads what is printed.
  process.once('exit', () => {
    for (const child of running) child.kill('SIGKILL');
    if (!keep) rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  });
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, async () => {
      interrupted = true;
      await end();
      process.exit(130);
    });
  }
  try {
    await run(dir);
  } finally {
    if (interrupted) await new Promise(() => {});  // the signal's handler exits
    await end();
  }
}

// For what main() rejects with.
export function fail(error) {
  console.error(error.message);
  process.exit(1);
}

// The process and all its descendants.
export function tree_of(pid) {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number));
  return [pid, ...children.flatMap(tree_of)];
}

// A port that nobody listens on at the moment.
export async function free_port() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

// One GET over HTTP/2: its status.
async function get_http2(scheme, port, request_path) {
  const session = http2.connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false });
  try {
    const failed = once(session, 'error').then(([error]) => { throw error; });
    const stream = session.request({ ':path': request_path }).resume();
    const [headers] = await Promise.race([once(stream, 'response'), failed]);
    return headers[':status'];
  } finally {
    session.destroy();
  }
}

async function get_http1(scheme, port, request_path) {
  const options = { host: '127.0.0.1', port, path: request_path, agent: false, rejectUnauthorized: false };
  const [response] = await once((scheme === 'https' ? https : http).get(options), 'response');
  await once(response.resume(), 'end');
  return response.statusCode;
}

// Until a GET through `port` is answered with 200; throws when the process ends before that.
export const wait_until_serving = (child, port, request_path, scheme = 'http') => wait_until(child, () => get_http1(scheme, port, request_path));
export const wait_until_serving_http2 = (child, port, request_path, scheme) => wait_until(child, () => get_http2(scheme, port, request_path));

async function wait_until(child, get) {
  for (let attempt = 0; attempt < 600; ++attempt) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    try {
      if (await get() === 200) return;
    } catch { /* not listening yet */ }
    await sleep(50);
  }
  throw new Error(`${child.spawnargs.join(' ')} does not serve:\n${readFileSync(child.log, 'utf8')}`);
}

export async function start_origin(dir, cpu) {
  const port = await free_port();
  const child = start(path.join(tools, 'origin'), [String(port)], { cpu, log: path.join(dir, 'origin.log') });
  await wait_until_serving(child, port, '/small');
  return { port, child };
}

// Runs the load generator once and gives back its report.
export async function run_load(args, cpu) {
  const argv = ['-c', String(cpu), path.join(tools, 'load'), ...args.map(String)];
  const child = watched(spawn('taskset', argv, { stdio: ['ignore', 'pipe', 'inherit'] }));
  let output = '';
  child.stdout.on('data', (data) => { output += data; });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`load ${args.join(' ')} ended with ${code}`);
  return JSON.parse(output);
}
