// A TCP or Unix-socket connection used byte by byte, from either end, and a reader of HTTP/1 messages that trusts nobody.
import net from 'node:net';
import { within } from './wait.mjs';

export class Wire {
  #pieces = [];                // not yet taken
  available = 0;               // bytes of them
  ended = false;               // FIN has come
  closed = false;
  error = null;
  #waiters = new Set();

  constructor(socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => {
      this.#pieces.push(bytes);
      this.available += bytes.length;
      this.#wake();
    });
    socket.on('end', () => { this.ended = true; this.#wake(); });
    socket.on('error', (error) => { this.error = error; this.#wake(); });
    socket.on('close', () => { this.closed = true; this.#wake(); });
  }

  // `to`: {host, port}, or {path} of a Unix socket.
  static async connect(to, options = {}) {
    const socket = net.connect({ ...to, ...options, allowHalfOpen: true });
    const wire = new Wire(socket);
    await within(new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject)),
      `connection to ${JSON.stringify(to)}`);
    return wire;
  }

  // What has come and has not been taken.
  get received() {
    if (this.#pieces.length !== 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0];
  }

  get localPort() { return this.socket.localPort; }

  write(text) { this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text); return this; }
  // FIN; what comes is still read.
  end() { this.socket.end(); return this; }
  // RST.
  reset() { this.socket.resetAndDestroy(); }
  destroy() { this.socket.destroy(); }
  pause() { this.socket.pause(); }
  resume() { this.socket.resume(); }

  #wake() { for (const waiter of [...this.#waiters]) waiter(); }

  // Waits until `look` gives something, and returns that. Fails when nothing more can come.
  take(look, what) {
    return within(new Promise((resolve, reject) => {
      const check = () => {
        let value;
        try {
          value = look();
        } catch (error) {
          this.#waiters.delete(check);
          reject(error);
          return;
        }
        if (value !== undefined && value !== false) {
          this.#waiters.delete(check);
          resolve(value);
        } else if (this.ended || this.closed) {
          this.#waiters.delete(check);
          reject(new Error(`${what}: the connection has ended (${this.error?.code ?? 'FIN'}) after ${JSON.stringify(this.received.toString('latin1').slice(-300))}`));
        }
      };
      this.#waiters.add(check);
      check();
    }), () => `${what}; so far: ${JSON.stringify(this.received.toString('latin1').slice(0, 300))}`);
  }

  // Everything up to and with `text`.
  upTo(text) {
    return this.take(() => {
      const at = this.received.indexOf(text, 0, 'latin1');
      return at < 0 ? undefined : this.#cut(at + text.length).toString('latin1');
    }, `bytes up to ${JSON.stringify(text)}`);
  }

  bytes(count) {
    return this.take(() => (this.available >= count ? this.#cut(count) : undefined), `${count} bytes`);
  }

  #cut(count) {
    const all = this.received;
    this.#pieces = [all.subarray(count)];
    this.available -= count;
    return all.subarray(0, count);
  }

  // The end of the connection: 'FIN' or an error code such as 'ECONNRESET'; and what came before it is in `received`.
  async finish() {
    await within(new Promise((resolve) => {
      const check = () => {
        if (!this.ended && !this.closed) return;
        this.#waiters.delete(check);
        resolve();
      };
      this.#waiters.add(check);
      check();
    }), () => `the end of the connection; so far: ${JSON.stringify(this.received.toString('latin1').slice(0, 300))}`);
    return this.error?.code ?? 'FIN';
  }

  // One message head as {line, headers}; interim or not.
  async head() {
    const text = await this.upTo('\r\n\r\n');
    return parseHead(text);
  }

  // A final response, with those before it in `interim`. `method`: of the request that it answers.
  async response(method = 'GET') {
    const interim = [];
    for (;;) {
      const head = await this.head();
      const [, version, status, reason] = /^HTTP\/(1\.[01]) (\d{3}) (.*)$/.exec(head.line) ?? failHead(head.line);
      const response = { ...head, version, status: Number(status), reason, interim };
      if (response.status < 200 && response.status !== 101) {
        interim.push(response);
        continue;
      }
      const none = method === 'HEAD' || [101, 204, 304].includes(response.status);
      if (!none) Object.assign(response, await this.#body(head, true));
      else response.body = '';
      return response;
    }
  }

  async request() {
    const head = await this.head();
    const [, method, target, version] = /^(\S+) (\S+) HTTP\/(1\.[01])$/.exec(head.line) ?? failHead(head.line);
    return { ...head, method, target, version, ...(await this.#body(head, false)) };
  }

  async #body(head, untilClose) {
    if (head.get('transfer-encoding') !== undefined) return this.#chunked();
    const length = head.get('content-length');
    if (length !== undefined) return { body: (await this.bytes(Number(length))).toString('latin1') };
    if (!untilClose) return { body: '' };
    const end = await this.finish();
    return { body: this.#cut(this.received.length).toString('latin1'), end };
  }

  async #chunked() {
    let body = '';
    const chunks = [];
    for (;;) {
      const line = await this.upTo('\r\n');
      const size = /^([0-9a-fA-F]+)\r\n$/.exec(line);
      if (!size) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
      const length = parseInt(size[1], 16);
      if (length === 0) break;
      chunks.push((await this.bytes(length)).toString('latin1'));
      body += chunks.at(-1);
      const tail = await this.bytes(2);
      if (tail.toString('latin1') !== '\r\n') throw new Error('no CRLF behind a chunk');
    }
    let section = '';
    for (;;) {
      const line = await this.upTo('\r\n');
      if (line === '\r\n') break;
      section += line;
    }
    return { body, chunks, chunked: true, trailers: parseHead(`\r\n${section}\r\n`) };
  }
}

function failHead(line) { throw new Error(`not a start line: ${JSON.stringify(line)}`); }

export function parseHead(text) {
  const [line, ...lines] = text.split('\r\n').slice(0, -2);
  const fields = lines.map((field) => {
    const colon = field.indexOf(':');
    return [field.slice(0, colon), field.slice(colon + 1).trim()];
  });
  return {
    line,
    fields,
    all: (name) => fields.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, value]) => value),
    get(name) {
      const values = this.all(name);
      return values.length === 0 ? undefined : values.join(', ');
    },
  };
}
