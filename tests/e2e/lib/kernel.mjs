// What the kernel of a server's machine holds for it, read from /proc/net/tcp and tcp6. A server whose event loop sleeps knows
// nothing of its connections; its kernel accepts them all the same, and keeps each until both sides have closed it.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { within } from './wait.mjs';

const STATES = [undefined, 'ESTABLISHED', 'SYN-SENT', 'SYN-RECV', 'FIN-WAIT-1', 'FIN-WAIT-2', 'TIME-WAIT', 'CLOSED', 'CLOSE-WAIT', 'LAST-ACK',
  'LISTEN', 'CLOSING', 'SYN-RECV'];
const FILES = ['/proc/net/tcp', '/proc/net/tcp6'].filter(existsSync);

// The server's ends of its connections at this moment: {state, peer, accepted}. `peer`: Berth's end, as the file has it.
// `accepted`: a process has it; otherwise it waits in the queue of the listening socket, or nobody has it any more. TIME-WAIT is
// no connection.
export function serverSockets(port) {
  const at = port.toString(16).toUpperCase().padStart(4, '0');
  const row = new RegExp(`^ *\\d+: [0-9A-F]+:${at} ([0-9A-F]+:[0-9A-F]{4}) ([0-9A-F]{2}) \\S+ \\S+ \\S+ +\\d+ +\\d+ (\\d+) `, 'gm');
  const sockets = new Map();  // a file that changes while it is read can show a socket twice
  for (const file of FILES) {
    for (const [, peer, code, inode] of readFileSync(file, 'latin1').matchAll(row)) {
      const state = STATES[parseInt(code, 16)];
      if (state !== 'LISTEN' && state !== 'TIME-WAIT') sockets.set(peer, { state, peer, accepted: inode !== '0' });
    }
  }
  return [...sockets.values()];
}

// Watches the sockets of a server, by port, in a thread of its own.
export class KernelWatch {
  static async start(port) {
    const watch = new KernelWatch();
    watch.worker = new Worker(fileURLToPath(import.meta.url), { workerData: { port } });
    watch.worker.unref();
    await watch.#ask('look');
    return watch;
  }

  // The most connections that the kernel has held at the same time, and how many of them in which state: {count, states}.
  most() { return this.#ask('most'); }

  async neverMoreThan(bound) {
    const { count, states } = await this.most();
    assert.ok(count <= bound, `the server's kernel held ${count} connections at once, not ${bound}: ${JSON.stringify(states)}`);
  }

  async close() { await this.worker.terminate(); }

  #ask(what) {
    this.worker.postMessage(what);
    return within(new Promise((resolve, reject) => this.worker.once('message', resolve).once('error', reject)), 'the watch on the kernel');
  }
}

// Two looks in a row see connections that open and close between them both as open. What both looks have seen was open at the
// same time: the files are not read in one instant, and one look alone would count a connection and its successor.
function watch({ port }) {
  let before = new Set();
  let most = { count: 0, states: {} };
  const sample = () => {
    const now = new Set();
    const states = {};
    let count = 0;
    for (const { state, peer } of serverSockets(port)) {
      now.add(peer);
      if (!before.has(peer)) continue;
      ++count;
      states[state] = (states[state] ?? 0) + 1;
    }
    before = now;
    if (count > most.count) most = { count, states };
  };
  const again = () => {
    const began = performance.now();
    sample();
    // Many sockets on the machine make a look take long.
    setTimeout(again, Math.max(3, 2 * (performance.now() - began)));
  };
  again();
  parentPort.on('message', (what) => {
    if (what === 'most') {
      sample();
      sample();
    }
    parentPort.postMessage(most);
  });
}

if (!isMainThread && workerData?.port !== undefined) watch(workerData);
