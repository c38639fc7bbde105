// A Node app server as people write them. Prints its port. SIGTERM: a graceful stop. Without Connection: close on its last
// responses a busy connection would keep it up for ever, whatever stands in front of it.
//
//   node plain_app.mjs [PORT]
import http from 'node:http';

let stopping = false;
const server = http.createServer(async (request, response) => {
  let size = 0;
  for await (const piece of request) size += piece.length;
  setTimeout(() => {
    if (stopping) response.setHeader('connection', 'close');
    response.end(`${request.url} ${size}`);
  }, Math.random() * 3);
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log(server.address().port));
process.on('SIGTERM', () => {
  stopping = true;
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
