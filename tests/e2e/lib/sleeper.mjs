// A Node app server in a process of its own, whose event loop can be put to sleep, and what its kernel holds all the while.
import { fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { KernelWatch } from './kernel.mjs';
import { within } from './wait.mjs';

const program = path.join(path.dirname(fileURLToPath(import.meta.url)), 'sleepy_app.mjs');

class Sleeper {
  // `options`: see sleepy_app.mjs.
  static async start(options = {}) {
    const app = new Sleeper();
    app.child = fork(program, [JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit', 'ipc'] });
    try {
      app.port = await app.#said();
      app.kernel = await KernelWatch.start(app.port);
    } catch (error) {
      app.child.kill('SIGKILL');
      throw error;
    }
    app.address = `127.0.0.1:${app.port}`;
    return app;
  }

  // {requests, cancelled, streams, dropped, open, most}: as Node has seen it. Not while it sleeps.
  async count() {
    this.child.send('count');
    return this.#said();
  }

  // Its event loop does nothing until wake().
  async sleep() {
    const asleep = new Promise((resolve) => this.child.stdout.once('data', resolve));
    this.child.send('sleep');
    await within(asleep, 'the app to fall asleep');
  }

  async wake() {
    const awake = this.#said();
    this.child.stdin.write('\n');
    await awake;
  }

  async close() {
    await this.kernel?.close();
    this.child.kill('SIGKILL');
  }

  #said() {
    return within(new Promise((resolve) => this.child.once('message', resolve)), () => `word of the app (${this.child.exitCode ?? this.child.signalCode ?? 'running'})`);
  }
}

// One for a scenario, which stops it at its end.
export async function sleeper(s, options) { return s.behind(await Sleeper.start(options)); }
