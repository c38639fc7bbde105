// The real binary, with a configuration of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Metrics } from './metrics.mjs';
import { until, within } from './wait.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const BINARY = path.resolve(process.env.BERTH_BIN ?? path.join(root, 'build/berth'));
export const ROOT = root;

// What must never be said.
const ALARM = /invariant broken|AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|terminate called|Assertion/;

export function parseAddress(text) {
  if (text.startsWith('unix:')) return { path: text.slice(5) };
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) };
}

export function scratchFolder() { return mkdtempSync(path.join(os.tmpdir(), 'berth-e2e-')); }

// Runs `berth ARGS...` to its end.
export async function runBerth(args, options = {}) {
  const child = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let stdout = '', stderr = '';
  child.stdout.on('data', (bytes) => { stdout += bytes; });
  child.stderr.on('data', (bytes) => { stderr += bytes; });
  const [code, signal] = await within(new Promise((resolve) => child.on('close', (...how) => resolve(how))),
    () => `berth ${args.join(' ')} to end; it said ${stderr}`).finally(() => child.kill('SIGKILL'));
  return { code, signal, stdout, stderr };
}

export class Berth {
  stdout = '';
  exit = null;
  #log = '';
  #watchers = new Set();

  // `config`: an object (JSON is YAML), or a text. `args`: instead of a file. `files`: how many it may have open.
  // `fileSize`: how long each may get, in KiB. `stderr`: a descriptor that takes its log. `closed`: it has neither standard
  // output nor error.
  constructor(config, { args, files, fileSize, stderr = 'pipe', closed = false } = {}) {
    this.folder = scratchFolder();
    this.file = path.join(this.folder, 'berth.yaml');
    if (config !== undefined) this.writeConfig(config);
    const command = [BINARY, ...(args ?? ['run', '-c', this.file])];
    const limits = [files && `ulimit -n ${files}`, fileSize && `ulimit -f ${fileSize}`].filter(Boolean);
    if (closed) limits.push('exec >&- 2>&-');
    if (limits.length > 0) command.unshift('bash', '-c', `${limits.join('; ')}; exec "$@"`, 'bash');
    this.child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', stderr] });
    this.child.stderr?.setEncoding('utf8').on('data', (text) => { this.#log += text; this.#look(); });
    this.child.stdout.setEncoding('utf8').on('data', (text) => { this.stdout += text; this.#look(); });
    this.exited = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        this.exit = { code, signal };
        this.#look();
        resolve(this.exit);
      });
    });
  }

  static async start(config, options) {
    const berth = new Berth(config, options);
    try {
      const [, listens, admin] = await berth.logged(/listens on (.+?) with \d+ workers?(?:; admin on (\S+))?/);
      berth.located(listens, admin);
    } catch (error) {
      berth.child.kill('SIGKILL');
      throw error;
    }
    return berth;
  }

  // Where it listens, as its log says.
  located(listens, admin) {
    this.addresses = listens.split(', ').map(parseAddress);
    this.address = this.addresses[0];
    this.adminAddress = admin === undefined ? null : parseAddress(admin);
  }

  get pid() { return this.child.pid; }
  get url() { return `http://${this.address.host.includes(':') ? `[${this.address.host}]` : this.address.host}:${this.address.port}`; }

  writeConfig(config) {
    writeFileSync(this.file, typeof config === 'string' ? config : JSON.stringify(config, null, 2));
  }

  kill(signal) { this.child.kill(signal); }

  #look() { for (const watcher of [...this.#watchers]) watcher(); }

  #watch(look, what) {
    return within(new Promise((resolve, reject) => {
      const watcher = () => {
        const found = look();
        if (found) {
          this.#watchers.delete(watcher);
          resolve(found);
        } else if (this.exit) {
          this.#watchers.delete(watcher);
          reject(new Error(`berth has ended (${JSON.stringify(this.exit)}) before ${what}; it said:\n${this.#log}`));
        }
      };
      this.#watchers.add(watcher);
      watcher();
    }), () => `${what}; berth said:\n${this.#log}`);
  }

  // Waits for a match in its log from `from` on, and returns the first one.
  logged(pattern, from = 0) {
    return this.#watch(() => pattern.exec(this.#log.slice(from)), `the log says ${pattern}`);
  }

  // Where its log ends now, for logged(): a later line lies behind it.
  logEnd() { return this.#log.length; }

  // Its log once it has ended. Before that, lines may be missing: a thread of its own writes them, after the answer that a
  // test has seen. A test that wants a line of a running Berth waits for it with logged().
  get log() {
    if (!this.exit) throw new Error('Berth still runs, and its log may lag behind: wait with logged(), or stop() it first');
    return this.#log;
  }

  // The last of its log so far, to be printed with a failure.
  get lastWords() { return this.#log.slice(-4000); }

  // Lines of the access log on standard output, at least `count` of them.
  async accessLines(count = 1) {
    await this.#watch(() => this.stdout.split('\n').length > count, `${count} access-log lines`);
    return this.stdout.split('\n').slice(0, -1);
  }

  // Waits for a line of the access log on standard output, in JSON, of which `test` is true.
  accessed(test) {
    return this.#watch(() => this.stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line)).find(test), `an access-log line: ${test}`);
  }

  // SIGHUP with a new configuration; resolves with what the log says about it, without its lines about certificates.
  async reload(config) {
    if (config !== undefined) this.writeConfig(config);
    const from = this.logEnd();
    this.kill('SIGHUP');
    return (await this.logged(/^\S+ (?:info reload: (?!certificate )|error reload: )(.*)\n/m, from))[1];
  }

  async page(where) {
    const response = await within(new Promise((resolve, reject) => {
      http.get({ ...this.adminHttp(), path: where, agent: false }, resolve).on('error', reject);
    }), `admin page ${where}`);
    let text = '';
    for await (const piece of response.setEncoding('utf8')) text += piece;
    return { status: response.statusCode, headers: response.headers, text };
  }

  adminHttp() {
    const { host, port, path: socketPath } = this.adminAddress;
    return socketPath ? { socketPath } : { host, port };
  }

  async metrics() { return new Metrics((await this.page('/metrics')).text); }
  async status() { return JSON.parse((await this.page('/status')).text); }

  // Waits until the metrics are so.
  async measured(test, what) {
    let last;
    await until(async () => test(last = await this.metrics()), () => `${what ?? test}\n${relevant(last)}`);
    return last;
  }

  // Fails if it has ever had more memory than this. Not under sanitizers, which have several times as much: BERTH_SANITIZED=1.
  hasStayedBelow(bytes) {
    if (process.env.BERTH_SANITIZED) return;
    const most = this.highWater();
    if (most >= bytes) throw new Error(`berth has had ${most >> 20} MiB of memory`);
  }

  highWater() { return this.#procStatus('VmHWM') * 1024; }
  resident() { return this.#procStatus('VmRSS') * 1024; }
  #procStatus(key) { return Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${this.pid}/status`, 'latin1'))[1]); }

  // Every client has gone: so must everything have that Berth held for them.
  async quiet() {
    const busy = ['handshake', 'reading', 'active', 'writing', 'idle', 'upgraded'];
    await this.measured((m) =>
      busy.every((state) => m.sum('berth_client_connections', { state }) === 0) &&
      m.sum('berth_client_streams') === 0 &&
      ['connecting', 'active', 'upgraded', 'draining'].every((state) => m.sum('berth_upstream_connections', { state }) === 0) &&
      m.sum('berth_upstream_queue_length') === 0, 'gauges back at zero');
  }

  // SIGINT, which does not wait for shutdown.delay; clean in every respect.
  async stop() {
    if (!this.exit) {
      if (this.adminAddress) await this.quiet();
      this.kill('SIGINT');
    }
    const { code, signal } = await within(this.exited, () => `berth to stop; it said:\n${this.#log}`);
    if (code !== 0) throw new Error(`berth ended with ${code ?? signal}; it said:\n${this.#log}`);
    const alarm = ALARM.exec(this.#log);
    if (alarm) throw new Error(`berth said: ${this.#log}`);
  }

  dispose() {
    if (!this.exit) this.child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function relevant(metrics) {
  return metrics?.text.split('\n').filter((line) => /^berth_\w+(connections|queue_length|closed_total|refused_total)\{/.test(line) && !/ 0$/.test(line)).join('\n');
}
