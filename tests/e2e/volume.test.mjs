// Much data through little memory.
import assert from 'node:assert/strict';
import net from 'node:net';
import { scenario, target } from './lib/scenario.mjs';
import { deferred, within } from './lib/wait.mjs';

const GIB = 1 << 30;
const block = Buffer.alloc(1 << 20, 'berth');

// Writes `size` bytes as fast as they are taken.
function pour(stream, size, done) {
  let left = size;
  const more = () => {
    while (left > 0) {
      const part = left >= block.length ? block : block.subarray(0, left);
      left -= part.length;
      if (!stream.write(part)) {
        stream.once('drain', more);
        return;
      }
    }
    done();
  };
  more();
}

// Sends a head on a connection of its own; resolves with the socket, the response's head, and a count of its body.
function open(s, berth, head) {
  const { host, port } = target(berth);
  const socket = net.connect(port, host);
  s.client(() => socket.destroy());
  const reply = { socket, head: '', size: 0, began: deferred(), ended: deferred() };
  socket.write(head);
  let expected = Infinity;
  socket.on('data', (bytes) => {
    if (expected === Infinity) {
      reply.head += bytes.toString('latin1');
      const end = reply.head.indexOf('\r\n\r\n');
      if (end < 0) return;
      reply.size = reply.head.length - end - 4;
      reply.head = reply.head.slice(0, end);
      expected = Number(/content-length: (\d+)/i.exec(reply.head)?.[1] ?? NaN);
      reply.began.resolve();
    } else {
      reply.size += bytes.length;
    }
    if (reply.size >= expected) reply.ended.resolve(reply.size);
  });
  socket.on('close', () => reply.ended.reject(new Error(`closed after ${reply.size} bytes; ${reply.head}`)));
  return reply;
}

scenario('1 GiB up, with less than 64 MiB of memory', { timeout: 120_000 }, async (s) => {
  const origin = await s.origin((request, response) => {
    let size = 0;
    request.on('data', (bytes) => { size += bytes.length; });
    request.on('end', () => response.end(String(size)));
  });
  const berth = await s.front(origin);
  const reply = open(s, berth, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${GIB}\r\n\r\n`);
  let text = '';
  reply.socket.on('data', (bytes) => { text += bytes; });
  pour(reply.socket, GIB, () => {});
  await within(reply.ended.promise, 'the answer', 100_000);
  assert.match(text, new RegExp(`\r\n\r\n${GIB}$`));
  berth.hasStayedBelow(64 << 20);
});

scenario('1 GiB down, with less than 64 MiB of memory', { timeout: 120_000 }, async (s) => {
  const origin = await s.origin((request, response) => {
    response.writeHead(200, { 'content-length': GIB });
    pour(response, GIB, () => response.end());
  });
  const berth = await s.front(origin);
  const reply = open(s, berth, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(await within(reply.ended.promise, 'the body', 100_000), GIB);
  berth.hasStayedBelow(64 << 20);
});

scenario('256 MiB, chunked both ways at the same time', { timeout: 120_000 }, async (s) => {
  const size = 256 << 20;
  const origin = await s.origin((request, response) => request.pipe(response));
  const berth = await s.front(origin);
  const { request } = await import('node:http');
  const sent = request({ ...target(berth), method: 'POST', agent: s.agent });
  const got = new Promise((resolve, reject) => {
    sent.on('error', reject).on('response', (response) => {
      let count = 0;
      response.on('data', (bytes) => { count += bytes.length; });
      response.on('end', () => resolve(count)).on('error', reject);
    });
  });
  pour(sent, size, () => sent.end());
  assert.equal(await within(got, 'the echo', 100_000), size);
  berth.hasStayedBelow(64 << 20);
});

scenario('twenty readers that stop and go: memory stays bounded, and every byte arrives', { timeout: 120_000 }, async (s) => {
  const size = 8 << 20;
  const origin = await s.origin((request, response) => {
    response.writeHead(200, { 'content-length': size });
    pour(response, size, () => response.end());
  });
  const berth = await s.front(origin);
  const replies = Array.from({ length: 20 }, () => open(s, berth, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
  for (const reply of replies) {
    reply.socket.on('data', () => {
      reply.socket.pause();
      setImmediate(() => reply.socket.resume());
    });
  }
  for (const reply of replies) assert.equal(await within(reply.ended.promise, 'the body', 100_000), size);
  berth.hasStayedBelow(64 << 20);
});

scenario('readers that never read: memory_budget holds', { timeout: 120_000 }, async (s) => {
  const origin = await s.origin((request, response) => {
    response.writeHead(200, { 'content-length': GIB });
    pour(response, GIB, () => response.end());
  });
  const berth = await s.front(origin, { memory_budget: '8MiB', pool: { max_connections: 200 }, upstream: { response_buffer: '4MiB' } });
  const replies = Array.from({ length: 40 }, () => {
    const reply = open(s, berth, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    reply.socket.once('data', () => reply.socket.pause());
    return reply;
  });
  for (const reply of replies) await within(reply.began.promise, 'its beginning');
  let before = -1;
  await berth.measured((m) => {
    const now = m.sum('berth_client_sent_bytes_total');
    const still = now === before;
    before = now;
    return still;
  }, 'everything stands still');
  berth.hasStayedBelow(64 << 20);
  // A request of another client is served all the same.
  assert.equal((await s.request(berth, { method: 'HEAD' })).status, 200);
});
