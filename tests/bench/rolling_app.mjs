// The app server of the rolling restart: plain Node. What it applies is written to a file before it answers, so that
// not even SIGKILL makes it forget.
//
//   node rolling_app.mjs PORT FILE     prints its port when it listens
//
//   POST /     body is an id; applied, answered with it after 0 to 20 ms
//   GET /...   answered after 0 to 20 ms
//
// SIGTERM: a graceful close. Idle connections are closed, the others after the answer in hand, which says so: without
// that a busy connection would keep the process for as long as it is used.
import { openSync, writeSync } from 'node:fs';
import http from 'node:http';

const [, , port, file] = process.argv;
const applied = openSync(file, 'a');

const server = http.createServer(async (request, response) => {
  let id = '';
  try {
    for await (const piece of request) id += piece;
  } catch {
    return;  // the client has gone: nothing was applied
  }
  if (request.method === 'POST') writeSync(applied, `${id}\n`);
  setTimeout(() => {
    if (!server.listening) response.setHeader('Connection', 'close');
    response.end(request.method === 'POST' ? id : 'ok');
  }, Math.random() * 20);
});
server.listen(Number(port), '127.0.0.1', () => console.log(server.address().port));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
