// The app server of the race: plain Node, with the keepAliveTimeout given. It tells the truth about
// what it has applied, so that a POST carried out twice does not go unnoticed.
//
//   node race_app.mjs KEEP_ALIVE_MS [stall]     prints its port when it listens
//
//   POST /?hold=MS   body is an id; answered after MS
//   GET /applied     {id: times}
//   GET /small       for checks of being up
//
// With `stall` the event loop is blocked again and again, for 20 to 100 ms, as by the JSON.parse of a
// large document or a garbage collection.
import http from 'node:http';

const [, , keep_alive_ms, mode] = process.argv;
const applied = new Map();

async function answer(request, response) {
  const url = new URL(request.url, 'http://app');
  if (request.method === 'GET') {
    return response.end(url.pathname === '/applied' ? JSON.stringify(Object.fromEntries(applied)) : 'ok');
  }
  let id = '';
  try {
    for await (const piece of request) id += piece;
  } catch {
    return;  // the client has gone: nothing was applied
  }
  applied.set(id, (applied.get(id) ?? 0) + 1);
  setTimeout(() => response.end(id), Number(url.searchParams.get('hold') ?? 0));
}

// Without using CPU time, which the proxies share.
function stall() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20 + Math.random() * 80);
  setTimeout(stall, Math.random() * 80);
}

const server = http.createServer(answer);
server.keepAliveTimeout = Number(keep_alive_ms);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
if (mode === 'stall') stall();
