// A Node app server whose event loop sleeps when it is told to, as that of an app in a long computation. For lib/sleeper.mjs.
//
//   node sleepy_app.mjs '{"maxConnections": N, "keepAliveTimeout": MS, "tls": {"cert", "key"}}'      all optional
//
//   /held     is never answered           /after/MS   is answered after so long
//   /events   writes one event and stays  others      are answered at once, with the size of the body
//
// WebSockets, as far as bytes are concerned: what comes is sent back. `sleep` by message: until a line comes on standard input.
import { createHash } from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const { tls, maxConnections, keepAliveTimeout } = JSON.parse(process.argv[2] ?? '{}');
const counted = { requests: 0, cancelled: 0, streams: 0, dropped: 0, open: 0, most: 0 };

async function serve(request, response) {
  ++counted.requests;
  const [, what, ms] = request.url.split('/');
  let size = 0;
  request.on('error', () => {});
  response.on('error', () => {});
  response.on('close', () => { if (!response.writableFinished) ++counted.cancelled; });
  try {
    for await (const piece of request) size += piece.length;
  } catch {
    return;  // the client has gone
  }
  if (what === 'held') return;
  if (what === 'after') return setTimeout(() => response.end('late'), Number(ms));
  if (what === 'events') {
    ++counted.streams;
    response.on('close', () => --counted.streams);
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    return;
  }
  response.end(String(size));
}

const server = tls ? https.createServer(tls, serve) : http.createServer(serve);
if (maxConnections !== undefined) server.maxConnections = maxConnections;
if (keepAliveTimeout !== undefined) server.keepAliveTimeout = keepAliveTimeout;
server.on('drop', () => ++counted.dropped);
server.on('tlsClientError', () => {});
// getConnections() leaves out those that Node has closed and not yet said so.
const open = () => server.getConnections((_, count) => { counted.most = Math.max(counted.most, counted.open = count); });
server.on('connection', open);
server.on('upgrade', (request, socket) => {
  socket.on('error', () => {});
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.pipe(socket);
});

process.on('disconnect', () => process.exit(0));
process.on('message', (what) => {
  if (what === 'count') {
    open();
    return process.nextTick(() => process.send(counted));
  }
  writeSync(1, 'asleep\n');
  readSync(0, Buffer.alloc(1));  // blocks
  process.send('awake');
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
