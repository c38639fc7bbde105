// App servers in this process: Node's own http, and bare sockets for those that misbehave.
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { deferred, within } from './wait.mjs';
import { Wire } from './wire.mjs';

function listen(server, where) {
  return within(new Promise((resolve, reject) => server.once('error', reject).listen(where, resolve)), 'origin to listen');
}

class Origin {
  connections = 0;      // ever
  open = new Set();
  mostOpen = 0;         // at once; those do not count that Node has closed and not yet said so
  #ever = [];
  #waiters = new Set();

  constructor(server) {
    this.server = server;
    server.on('connection', (socket) => {
      ++this.connections;
      this.#ever.push(socket);
      this.open.add(socket);
      server.getConnections((_, count) => { this.mostOpen = Math.max(this.mostOpen, count); });
      socket.on('close', () => { this.open.delete(socket); this.changed(); });
      this.changed();
    });
  }

  async listen(where = { host: '127.0.0.1', port: 0 }) {
    await listen(this.server, where);
    const at = this.server.address();
    this.address = typeof at === 'string' ? `unix:${at}` : at.family === 'IPv6' ? `[${at.address}]:${at.port}` : `${at.address}:${at.port}`;
    return this;
  }

  changed() { for (const waiter of [...this.#waiters]) waiter(); }

  // Waits for something about this origin to become true.
  seen(test, what = String(test)) {
    return within(new Promise((resolve) => {
      const check = () => {
        const value = test(this);
        if (value === undefined || value === false) return;
        this.#waiters.delete(check);
        resolve(value);
      };
      this.#waiters.add(check);
      check();
    }), `origin: ${what}`);
  }

  // What it has read and written on all of them so far.
  bytes() {
    return ['bytesRead', 'bytesWritten'].map((which) => this.#ever.reduce((total, socket) => total + socket[which], 0));
  }

  // Remote ports: Berth's ends of the connections.
  ports() { return [...this.open].map((socket) => socket.remotePort).sort((a, b) => a - b); }

  async close() {
    for (const socket of this.open) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

// Node's http; by default it answers at once.
export class HttpOrigin extends Origin {
  requests = [];

  constructor(handler = (request, response) => response.end('ok'), options = {}) {
    super(http.createServer(options));
    this.handler = handler;
    this.server.on('request', (request, response) => {
      this.requests.push(request);
      request.on('error', () => {});
      response.on('error', () => {});
      this.handler(request, response);
      this.changed();
    });
  }
}

// A Node https server, as HttpOrigin is an http one.
export class HttpsOrigin extends HttpOrigin {
  handshakes = { full: 0, resumed: 0 };

  constructor(handler, options) {
    super(handler);
    this.server = https.createServer(options);
    this.server.on('connection', (socket) => {
      ++this.connections;
      this.open.add(socket);
      socket.on('close', () => { this.open.delete(socket); this.changed(); });
      this.changed();
    });
    this.server.on('secureConnection', (socket) => { ++this.handshakes[socket.isSessionReused() ? 'resumed' : 'full']; this.changed(); });
    this.server.on('tlsClientError', () => {});
    this.server.on('request', (request, response) => {
      this.requests.push(request);
      request.on('error', () => {});
      response.on('error', () => {});
      this.handler(request, response);
      this.changed();
    });
  }
}

// Bare sockets: `handler(wire, nth, origin)` for each connection; an error in it fails the test at close().
export class WireOrigin extends Origin {
  #failure = deferred();
  #failed = false;

  constructor(handler) {
    super(net.createServer({ allowHalfOpen: true }));
    this.wires = [];
    let nth = 0;
    this.server.on('connection', (socket) => {
      const wire = new Wire(socket);
      this.wires.push(wire);
      Promise.resolve(handler(wire, nth++, this)).catch((error) => {
        // A connection that the other side ends is nothing special.
        if (/connection has ended/.test(error.message)) return;
        this.#failed = true;
        this.#failure.reject(error);
      }).finally(() => {
        // Done with it: it ends when Berth ends it.
        if (wire.ended) socket.destroy();
        else socket.on('end', () => socket.destroy());
        this.changed();
      });
      this.changed();
    });
  }

  async close() {
    await super.close();
    if (this.#failed) await this.#failure.promise;
  }
}

export async function readAll(stream) {
  let text = '';
  for await (const piece of stream.setEncoding('latin1')) text += piece;
  return text;
}
