// A small DNS server: A and AAAA records that the test changes as it likes.
import dgram from 'node:dgram';
import net from 'node:net';

const MOST = 1232;  // bytes of a datagram

// Where the question ends that begins behind the head.
function questionEnd(query) {
  let at = 12;
  while (query[at] !== 0) at += query[at] + 1;
  return at + 5;
}

// '::1' and the like: what is left out is zero.
function ipv6(text) {
  const [head, tail] = text.split('::').map((half) => half.split(':').filter(Boolean).map((word) => parseInt(word, 16)));
  const words = [...head, ...Array(8 - head.length - tail.length).fill(0), ...tail];
  return words.flatMap((word) => [word >> 8, word & 255]);
}

export class NameServer {
  names = new Map();   // name: {addresses, ttl}, or 'silent' or 'broken'
  queries = 0;
  queriesOverTcp = 0;
  #socket;
  #tcp = net.createServer((socket) => this.#serve(socket));

  async listen() {
    await this.#bind();
    this.#socket.on('message', (query, peer) => {
      ++this.queries;
      let reply = this.#answer(query);
      if (reply?.length > MOST) {
        reply = Buffer.from(reply.subarray(0, questionEnd(query)));
        reply[2] |= 2;  // TC: ask again over TCP
        reply.writeUInt16BE(0, 6);
      }
      if (reply) this.#socket.send(reply, peer.port, peer.address);
    });
    this.address = `127.0.0.1:${this.#socket.address().port}`;
    return this;
  }

  // The same port over both: one that is free for TCP may be taken for UDP.
  async #bind() {
    for (let tries = 0; ; ++tries) {
      await new Promise((resolve) => this.#tcp.listen(0, '127.0.0.1', resolve));
      const socket = dgram.createSocket('udp4');
      const bound = await new Promise((resolve) => {
        socket.once('error', () => resolve(false)).bind(this.#tcp.address().port, '127.0.0.1', () => resolve(true));
      });
      if (bound) {
        this.#socket = socket;
        return;
      }
      socket.close();
      await new Promise((resolve) => this.#tcp.close(resolve));
      if (tries === 50) throw new Error('no port is free for UDP and TCP');
    }
  }

  set(name, addresses, ttl = 1) { this.names.set(name, { addresses, ttl }); }

  #answer(query) {
    const labels = [];
    let at = 12;
    while (query[at] !== 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + query[at]));
      at += query[at] + 1;
    }
    const known = this.names.get(labels.join('.').toLowerCase());
    if (known === 'silent') return null;
    const type = query.readUInt16BE(at + 1);
    const all = known === undefined || known === 'broken' ? [] : known.addresses;
    const found = type === 1 ? all.filter((one) => !one.includes(':')) : type === 28 ? all.filter((one) => one.includes(':')) : [];
    const code = known === 'broken' ? 2 : known === undefined ? 3 : 0;
    const head = Buffer.from(query.subarray(0, at + 5));
    head.writeUInt16BE(0x8180 | code, 2);
    head.writeUInt16BE(found.length, 6);
    head.writeUInt32BE(0, 8);
    const records = found.map((address) => {
      const ip = address.includes(':') ? ipv6(address) : address.split('.').map(Number);
      const record = Buffer.from([0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 0, 0, ip.length, ...ip]);
      record.writeUInt32BE(known.ttl, 6);
      return record;
    });
    return Buffer.concat([head, ...records]);
  }

  #serve(socket) {
    let input = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      input = Buffer.concat([input, bytes]);
      for (; input.length >= 2 && input.length >= 2 + input.readUInt16BE(0); input = input.subarray(2 + input.readUInt16BE(0))) {
        ++this.queriesOverTcp;
        const reply = this.#answer(input.subarray(2, 2 + input.readUInt16BE(0)));
        if (reply) socket.write(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]));
      }
    });
  }

  close() {
    this.#socket.close();
    this.#tcp.close();
  }
}
