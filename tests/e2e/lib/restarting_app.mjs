// A Node app server that its parent (child_process.fork) tells when to listen, so that how long it is away does not depend
// on how long Node takes to start. It answers at once.
//
//   message {port, hint}   listen there (0: anywhere), and answers with {port}; hint: false: say nothing of keep-alive
import http from 'node:http';

process.on('disconnect', () => process.exit());
process.on('message', ({ port, hint }) => {
  const server = http.createServer(async (request, response) => {
    let size = 0;
    for await (const piece of request) size += piece.length;
    if (!hint) response.setHeader('connection', 'keep-alive');  // set by the app: Node adds no Keep-Alive
    response.end(`${request.url} ${size}`);
  });
  server.listen(port, '127.0.0.1', () => process.send({ port: server.address().port }));
});
process.send('ready');
