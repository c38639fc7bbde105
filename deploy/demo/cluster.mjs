// Starts and stops the demo's processes: the app servers of berth.yaml and Berth in front of them.
import { fork, spawn, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const berth_binary = path.resolve(here, '../../build/berth');

async function port_is_free(port) {
  const probe = net.createServer();
  probe.listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch {
    return false;
  }
  const taken = probe.address().port;
  probe.close();
  await once(probe, 'close');
  return taken;
}

// The wanted port if it is free, otherwise one that is.
async function choose_port(wanted, what) {
  if (await port_is_free(wanted)) return wanted;
  const other = await port_is_free(0);
  console.log(`  port ${wanted} is taken: ${what} is on ${other} instead`);
  return other;
}

async function start_app(name, port) {
  const child = fork(path.join(here, 'app.mjs'), [name, String(port)]);
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => [{ error: `exit code ${code}` }]),
  ]);
  if (message.error) throw new Error(`app server ${name} did not start: ${message.error}`);
  return { name, child, ...message };
}

async function wait_until_ready(url, child) {
  const give_up = Date.now() + 30_000;
  for (;;) {
    if (Date.now() > give_up) throw new Error(`${url} did not answer 200 for 30 s`);
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error('Berth ended while it was starting (its messages are above)');
    }
    try {
      if ((await fetch(url)).status === 200) return;
    } catch {
      // not listening yet
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export class Cluster {
  apps = [];
  berth = null;
  stopping = false;

  // Calls on_death(what) when a process ends that should not have.
  async start(on_death) {
    if (!fs.existsSync(berth_binary)) throw new Error(`${berth_binary} is not there: run make`);
    this.version = execFileSync(berth_binary, ['version'], { encoding: 'utf8' }).trim();
    let config = fs.readFileSync(path.join(here, 'berth.yaml'), 'utf8');
    const place = async (port, what) => {
      const chosen = await choose_port(port, what);
      config = config.replace(`127.0.0.1:${port}`, `127.0.0.1:${chosen}`);
      return chosen;
    };
    this.front = `http://127.0.0.1:${await place(8080, 'the proxy')}`;
    this.admin = `http://127.0.0.1:${await place(9145, 'the admin listener')}`;
    for (const port of [3000, 3001, 3002]) {
      const name = `app-${this.apps.length + 1}`;
      this.apps.push(await start_app(name, await place(port, name)));
    }

    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-demo-'));
    const file = path.join(this.folder, 'berth.yaml');
    fs.writeFileSync(file, config);
    // A process group of its own: Ctrl-C reaches only us, and we end Berth in good order.
    this.berth = spawn(berth_binary, ['run', '-c', file], {
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    await once(this.berth, 'spawn');
    await wait_until_ready(`${this.admin}/readyz`, this.berth);

    for (const { name, child } of [...this.apps, { name: 'Berth', child: this.berth }]) {
      child.on('exit', (code, signal) => {
        if (!this.stopping) on_death(`${name} ended by itself (${signal ?? `exit code ${code}`})`);
      });
    }
  }

  // The most connections that each app server saw at a time.
  most_connections() {
    return Promise.all(
      this.apps.map(async ({ child }) => {
        child.send('counts');
        const [{ most_sockets }] = await once(child, 'message');
        return most_sockets;
      }),
    );
  }

  // Ends everything: Berth first, so that no request loses its server. Returns Berth's exit code, null if none.
  async stop() {
    this.stopping = true;
    let code = null;
    if (this.berth && this.berth.exitCode === null && this.berth.signalCode === null) {
      const exited = once(this.berth, 'exit');
      this.berth.kill('SIGTERM');
      const force = setTimeout(() => this.berth.kill('SIGKILL'), 10_000);
      [code] = await exited;
      clearTimeout(force);
    }
    for (const { child } of this.apps) if (child.connected) child.disconnect();
    if (this.folder) fs.rmSync(this.folder, { recursive: true, force: true });
    return code;
  }

  // At once, for the moment in which this process itself ends.
  kill() {
    if (this.berth?.exitCode === null) this.berth.kill('SIGKILL');
    for (const { child } of this.apps) child.kill('SIGKILL');
    if (this.folder) fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
