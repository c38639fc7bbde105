// A test with its own Berth, app servers and clients, which all end with it; how Berth ends is part of the test.
import http from 'node:http';
import test from 'node:test';
import { Berth, scratchFolder } from './berth.mjs';
import { HttpOrigin, WireOrigin, readAll } from './origin.mjs';
import { within } from './wait.mjs';
import { Wire } from './wire.mjs';
import { rmSync } from 'node:fs';

// test(), whose function gets a Scenario. Options: those of test().
export function scenario(name, options, body) {
  if (typeof options === 'function') [options, body] = [{}, options];
  test(name, { timeout: 60_000, ...options }, async (t) => {
    const s = new Scenario(t);
    let failure = null;
    try {
      await body(s, t);
    } catch (error) {
      failure = error;
    }
    const ends = await s.end(failure !== null);
    failure ??= ends;
    if (failure === null) return;
    for (const berth of s.berths) failure.message += `\n--- berth (${JSON.stringify(berth.exit)}) said:\n${berth.lastWords}`;
    throw failure;
  });
}

export class Scenario {
  berths = [];
  #clients = [];
  #origins = [];
  #folders = [];

  constructor(t) {
    this.t = t;
    this.agent = new http.Agent({ keepAlive: true });
    this.client(() => this.agent.destroy());
  }

  // What is to end before Berth does.
  client(end) { this.#clients.push(end); }

  // A Node app server in this process.
  async origin(handler, { where, ...options } = {}) {
    const origin = await new HttpOrigin(handler, options).listen(where);
    this.#origins.push(origin);
    return origin;
  }

  async wireOrigin(handler, { where } = {}) {
    const origin = await new WireOrigin(handler).listen(where);
    this.#origins.push(origin);
    return origin;
  }

  // Anything else with close() that stands behind Berth.
  behind(server) { this.#origins.push(server); return server; }

  // What nearly every test wants: one listener in front of these servers; see config().
  front(servers, more) { return this.berth(config(servers, more)); }

  async berth(settings, options) {
    const berth = await Berth.start(settings, options);
    this.berths.push(berth);
    return berth;
  }

  // A bare connection.
  async wire(to, options) {
    const wire = await Wire.connect(to.address ?? to, options);
    this.client(() => wire.destroy());
    return wire;
  }

  request(berth, options) { return request(berth, { agent: this.agent, ...options }); }

  folder() {
    const folder = scratchFolder();
    this.#folders.push(folder);
    return folder;
  }

  // Returns the first error, or null. `failed`: the test has failed already, so Berth need not end well.
  async end(failed) {
    let first = null;
    const attempt = async (what) => {
      try {
        await what();
      } catch (error) {
        first ??= error;
      }
    };
    for (const end of this.#clients.reverse()) await attempt(end);
    for (const berth of this.berths) {
      if (!failed) await attempt(() => berth.stop());
      berth.dispose();
    }
    for (const origin of this.#origins) await attempt(() => origin.close());
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
    return first;
  }
}

// One upstream with these servers (origins or addresses), one listener. `pool`, `upstream` and `listener` change their
// settings, everything else the top level's.
export function config(servers, { listener, pool, upstream, ...rest } = {}) {
  const list = Array.isArray(servers) ? servers : [servers];
  return {
    workers: 2,
    listeners: [{ address: '127.0.0.1:0', ...listener }],
    upstreams: { app: { servers: list.map((one) => one.address ?? one), ...upstream, ...(pool ? { pool } : {}) } },
    admin: { address: '127.0.0.1:0' },
    ...rest,
  };
}

// Where http.request is to connect to.
export function target(berth, nth = 0) {
  const { host, port, path } = berth.addresses[nth];
  return path ? { socketPath: path } : { host, port };
}

// Sends a request and reads all of its response: {status, headers, rawHeaders, body, trailers}. `body`: a text, a Buffer,
// or a function that is given the http.ClientRequest to write to.
export function request(berth, { body, method = body === undefined ? 'GET' : 'POST', listener = 0, ...options } = {}) {
  const sent = http.request({ ...target(berth, listener), method, ...options });
  const result = new Promise((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (response) => {
      readAll(response).then((text) => resolve({
        status: response.statusCode,
        headers: response.headers,
        rawHeaders: response.rawHeaders,
        trailers: response.trailers,
        httpVersion: response.httpVersion,
        port: sent.socket?.localPort,
        body: text,
      }), reject);
    });
  });
  if (typeof body === 'function') body(sent);
  else sent.end(body);
  return within(result, `${method} ${options.path ?? '/'}`);
}
