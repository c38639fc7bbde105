// One app server of the demo: Node's own http with its default settings (keepAliveTimeout is 5 s).
//   node app.mjs NAME PORT        port 0: any free one
// Started by cluster.mjs it reports its port and what it counted, and ends with it; by hand it runs until Ctrl-C.
import http from 'node:http';

const [name = 'app', port = '3000'] = process.argv.slice(2);
let sockets = 0;
let most_sockets = 0;  // at a time, since the start

function send_json(res, status, body) {
  const text = JSON.stringify(body) + '\n';
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  res.end(text);
}

const pages = {
  'GET /': (req, res) =>
    send_json(res, 200, { hello: `from ${name}`, pid: process.pid, port: server.address().port }),

  // The request as the app saw it.
  'GET /headers': (req, res) => send_json(res, 200, { app: name, headers: req.headers }),

  // The body comes back as it was sent.
  'POST /echo': (req, res) => {
    res.writeHead(200, { 'content-type': req.headers['content-type'] ?? 'application/octet-stream' });
    req.pipe(res);
  },

  // Server-sent events: five ticks, 100 ms apart.
  'GET /ticks': (req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    let tick = 0;
    const timer = setInterval(() => {
      res.write(`data: tick ${++tick} of ${name}\n\n`);
      if (tick === 5) res.end();
    }, 100);
    res.on('close', () => clearInterval(timer));
  },

  // An answer that takes its time: /slow?ms=500
  'GET /slow': (req, res, query) => {
    const ms = Math.min(Number(query.get('ms') ?? 500) || 0, 10_000);
    const timer = setTimeout(() => send_json(res, 200, { app: name, slept_ms: ms }), ms);
    res.on('close', () => clearTimeout(timer));
  },
};

const server = http.createServer((req, res) => {
  const { pathname, searchParams } = new URL(req.url, 'http://app');
  const page = pages[`${req.method} ${pathname}`];
  if (page) page(req, res, searchParams);
  else send_json(res, 404, { error: `no ${req.method} ${pathname} here`, pages: Object.keys(pages) });
});

server.on('connection', (socket) => {
  sockets += 1;
  most_sockets = Math.max(most_sockets, sockets);
  socket.on('close', () => (sockets -= 1));
});
server.on('error', (error) => {
  if (process.send) process.send({ error: error.code });
  else console.error(`${name}: ${error.message}`);
  process.exitCode = 1;
  if (process.connected) process.disconnect();
});
server.listen(Number(port), '127.0.0.1', () => {
  const ready = { port: server.address().port, keep_alive_ms: server.keepAliveTimeout };
  if (process.send) process.send(ready);
  else console.log(`${name} on http://127.0.0.1:${ready.port}/`);
});

if (process.send) {
  process.on('SIGINT', () => {});  // Ctrl-C reaches the whole group; demo.mjs decides what ends when
  process.on('message', () => process.send({ most_sockets }));
  process.on('disconnect', () => process.exit());
}
