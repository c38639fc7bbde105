// An app server of the scale-up: plain Node, which takes 1 to 20 ms for an answer, its number.
//
//   node scale_app.mjs NUMBER     prints its port when it listens
import http from 'node:http';

const [, , number] = process.argv;
const server = http.createServer((request, response) => {
  setTimeout(() => response.end(number), 1 + Math.random() * 19);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
