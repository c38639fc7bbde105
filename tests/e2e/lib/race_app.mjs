// App servers for the keep-alive race: plain Node, COUNT of them on ports of their own, each with the keepAliveTimeout given.
//
//   node race_app.mjs KEEP_ALIVE_MS COUNT [stall]      prints its ports when all listen, and how much later than that it
//                                                      really closes: some versions of Node add a second
//
//   POST /?hold=MS   the body is an id; answered with it after MS
//   GET /applied     {id: times}, of this server
//
// With `stall` the event loop is blocked again and again for 20 to 100 ms, as by a large JSON.parse or a garbage collection.
import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [, , keepAlive, count, mode] = process.argv;

async function start() {
  const applied = new Map();
  const server = http.createServer(async (request, response) => {
    if (request.method === 'GET') return response.end(JSON.stringify(Object.fromEntries(applied)));
    let id = '';
    try {
      for await (const piece of request) id += piece;
    } catch {
      return;  // the client has gone: nothing was applied
    }
    applied.set(id, (applied.get(id) ?? 0) + 1);
    await sleep(Number(new URL(request.url, 'http://app').searchParams.get('hold')));
    response.end(id);
  });
  server.keepAliveTimeout = Number(keepAlive);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

// Without using CPU time, which everybody else needs.
function stall() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20 + Math.random() * 80);
  setTimeout(stall, Math.random() * 80);
}

// How much later than keepAliveTimeout does this Node close?
async function extra() {
  const announced = 50;
  const server = http.createServer((request, response) => response.end());
  server.keepAliveTimeout = announced;
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = net.connect(server.address().port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  const answered = performance.now();
  await new Promise((resolve) => socket.once('end', resolve));
  server.close();
  socket.destroy();
  return Math.max(0, Math.round((performance.now() - answered - announced) / 100) * 100);
}

const ports = await Promise.all(Array.from({ length: Number(count) }, start));
console.log(await extra(), ports.join(' '));
if (mode === 'stall') stall();
