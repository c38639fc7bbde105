// The app server of the benchmarks with slow clients: plain Node.
//
//   node slow_app.mjs     prints its port when it listens
//
//   POST /       answered when all of the body has come
//   GET /big     200 KiB
//   GET /...     a few bytes
import http from 'node:http';

const big = Buffer.alloc(200 << 10, 'x');

const server = http.createServer((request, response) => {
  request.on('error', () => {});
  request.resume().on('end', () => response.end(request.url === '/big' ? big : 'ok'));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
