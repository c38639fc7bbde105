// What Node apps can answer, well-behaved or not: a client sees the same through Berth as without it. What Node's own
// client does not take, though browsers and curl do, is mended; for all else that it does not take Berth says 502, and
// what is wrong.
import assert from 'node:assert/strict';
import http from 'node:http';
import { scenario, target } from './lib/scenario.mjs';

// The answers, by name: what the app does with its response.
const ANSWERS = {
  // Status and reason
  'status 600': (r) => r.writeHead(600).end('odd'),
  'status 999 with a reason of its own': (r) => r.writeHead(999, 'Go away').end('odd'),
  'statusCode 777': (r) => { r.statusCode = 777; r.end('odd'); },
  'status 299': (r) => r.writeHead(299).end('x'),
  'status 418': (r) => r.writeHead(418).end('teapot'),
  'a reason in Latin-1': (r) => r.writeHead(200, 'd\u00e9j\u00e0 vu').end('x'),
  'a blank reason': (r) => { r.statusMessage = ' '; r.end('x'); },
  'an empty reason': (r) => raw(r, 'HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx'),
  'no reason at all': (r) => raw(r, 'HTTP/1.1 404\r\nContent-Length: 1\r\n\r\nx'),
  // Content-Length
  'Content-Length as a list of two': (r) => r.writeHead(200, { 'content-length': ['5', '5'] }).end('hello'),
  'Content-Length twice': (r) => r.writeHead(200, ['Content-Length', '5', 'X', 'y', 'Content-Length', '5']).end('hello'),
  'Content-Length as a float': (r) => r.writeHead(200, { 'content-length': 5.0 }).end('hello'),
  'Content-Length: abc': (r) => r.writeHead(200, { 'content-length': 'abc' }).end('hello'),
  'Content-Length: NaN': (r) => r.writeHead(200, { 'content-length': NaN }).end('hello'),
  'Content-Length: undefined': (r) => r.writeHead(200, { 'content-length': `${undefined}` }).end('hello'),
  'Content-Length: -1': (r) => r.writeHead(200, { 'content-length': -1 }).end('hello'),
  'an empty Content-Length': (r) => r.writeHead(200, { 'content-length': '' }).end('hello'),
  'Content-Length too short': (r) => r.writeHead(200, { 'content-length': 2 }).end('hello'),
  'Content-Length too long': (r) => { r.writeHead(200, { 'content-length': 9 }).end('hello'); setImmediate(() => r.socket?.end()); },
  // Transfer-Encoding
  'chunked with Content-Length': (r) => { r.setHeader('Transfer-Encoding', 'chunked'); r.setHeader('Content-Length', 5); r.end('hello'); },
  'Content-Length with chunked': (r) => { r.writeHead(200, { 'content-length': '3', 'transfer-encoding': 'chunked' }); r.write('hel'); r.end('lo'); },
  'chunked twice': (r) => r.writeHead(200, { 'transfer-encoding': ['chunked', 'chunked'] }).end('hello'),
  'gzip as a transfer coding': (r) => { r.writeHead(200, { 'transfer-encoding': 'gzip' }); r.end('hello'); setImmediate(() => r.socket?.end()); },
  'gzip, chunked': (r) => r.writeHead(200, { 'transfer-encoding': 'gzip, chunked' }).end('hello'),
  'identity': (r) => { r.writeHead(200, { 'transfer-encoding': 'identity', connection: 'close' }).end('hello'); },
  'no chunks, until close': (r) => { r.useChunkedEncodingByDefault = false; r.write('hel'); r.end('lo'); },
  'several writes': (r) => { for (const piece of ['a', 'b', 'c']) r.write(piece); r.end(); },
  // No body
  'a 204 with a body': (r) => r.writeHead(204, { 'content-length': 5 }).end('hello'),
  'a 204 with Transfer-Encoding': (r) => r.writeHead(204, { 'transfer-encoding': 'chunked' }).end(),
  'a 304 with Transfer-Encoding': (r) => r.writeHead(304, { 'transfer-encoding': 'chunked', etag: '"x"' }).end(),
  'a 304 with the length of what it is not': (r) => r.writeHead(304, { 'content-length': 5 }).end('hello'),
  'a 205': (r) => r.writeHead(205).end(),
  'nothing': (r) => r.end(),
  // Interim
  '102 first': (r) => { r.writeProcessing(); r.end('x'); },
  '103 first': (r) => { r.writeEarlyHints({ link: '</a.css>; rel=preload' }); r.end('x'); },
  'a blank line before the status': (r) => raw(r, '\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx'),
  'a blank line behind a 100': (r) => raw(r, 'HTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx'),
  // Many fields, long ones, odd ones
  '101 links': (r) => { for (let i = 0; i < 101; ++i) r.appendHeader('Link', `</${i}.js>; rel=preload`); r.end('x'); },
  '200 cookies': (r) => { for (let i = 0; i < 200; ++i) r.appendHeader('Set-Cookie', `c${i}=; Max-Age=0`); r.end('x'); },
  '900 fields': (r) => { for (let i = 0; i < 900; ++i) r.setHeader(`x-${i}`, i); r.end('x'); },
  'a cookie of 15 KB': (r) => r.writeHead(200, { 'set-cookie': `a=${'x'.repeat(15_000)}` }).end('x'),
  'a tab in a value': (r) => { r.setHeader('x', 'a\tb'); r.end('x'); },
  'blanks around a value': (r) => { r.setHeader('x', '  a  '); r.end('x'); },
  'an empty value': (r) => { r.setHeader('x', ''); r.end('x'); },
  'a name of all that may be in one': (r) => { r.setHeader("x!#$%&'*+.^_`|~1", '1'); r.end('x'); },
  'a value in Latin-1': (r) => { r.setHeader('x', 'caf\u00e9'); r.end('x'); },
  'two Dates': (r) => r.writeHead(200, { date: ['a', 'b'] }).end('x'),
  'no Date': (r) => { r.sendDate = false; r.end('x'); },
  'two Locations': (r) => r.writeHead(302, { location: ['/a', '/b'] }).end(),
  'a Location in Latin-1': (r) => r.writeHead(302, { location: '/caf\u00e9' }).end(),
  // The connection
  'Connection: close': (r) => r.writeHead(200, { connection: 'close' }).end('x'),
  'shouldKeepAlive = false': (r) => { r.shouldKeepAlive = false; r.end('x'); },
  'Connection with a field of its own': (r) => r.writeHead(200, { connection: 'Keep-Alive, Foo', foo: '1' }).end('x'),
  'an empty Keep-Alive': (r) => r.writeHead(200, { 'keep-alive': '', connection: 'keep-alive' }).end('x'),
  'an odd Keep-Alive': (r) => r.writeHead(200, { 'keep-alive': 'timeout=5;max=100', connection: 'keep-alive' }).end('x'),
  'Upgrade offered in a 200': (r) => r.writeHead(200, { upgrade: 'h2c', connection: 'upgrade' }).end('x'),
  'trailers': (r) => { r.writeHead(200, { Trailer: 'X-Sum' }); r.write('x'); r.addTrailers({ 'X-Sum': '7' }); r.end(); },
  'a body that breaks off in a chunk': (r) => { r.write('x'.repeat(10)); setImmediate(() => r.socket?.end()); },
};

function raw(response, text) { response.socket.write(Buffer.from(text, 'latin1')); response.socket.end(); }

// Where an answer differs with Berth in between, and what Berth says is wrong.
const REFUSED = {
  'gzip as a transfer coding': 'Transfer-Encoding is not chunked',
  'gzip, chunked': 'Transfer-Encoding is not chunked',
  'chunked twice': 'Transfer-Encoding is not chunked',
  'identity': 'Transfer-Encoding is not chunked',
};
// What Node's client refuses, and others do not: what is seen through Berth.
const MENDED = {
  'Content-Length as a list of two': 'hello',
  'Content-Length twice': 'hello',
  'Content-Length too short': 'he',
  'chunked with Content-Length': 'hello',
  'Content-Length with chunked': 'hello',
};
// Fields that each connection has for itself, and what Berth adds.
const OWN = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'foo', 'date', 'content-length', 'via']);

function ask(options) {
  return new Promise((resolve) => {
    const seen = { interim: [], status: null, reason: null, fields: [], body: '', trailers: {}, broken: null };
    const end = (error) => {
      seen.broken = error === null ? null : /aborted|reset|hang up/i.test(error.message) ? 'broken' : error.code;
      clearTimeout(timer);
      request.destroy();
      resolve(seen);
    };
    const timer = setTimeout(() => end(Object.assign(new Error('late'), { code: 'late' })), 20_000);
    const request = http.request({ ...options, method: 'GET', agent: false, headers: { host: 'a' }, maxHeaderSize: 1 << 20 });
    request.maxHeadersCount = 0;
    // Of 100 (Continue) the client hears from Berth itself.
    request.on('information', ({ statusCode }) => { if (statusCode !== 100) seen.interim.push(statusCode); });
    request.on('error', end);
    request.on('response', (response) => {
      seen.status = response.statusCode;
      seen.reason = response.statusMessage;
      seen.proxyStatus = response.headers['proxy-status'];
      seen.dates = response.rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'date').length;
      for (let i = 0; i < response.rawHeaders.length; i += 2) {
        const name = response.rawHeaders[i];
        if (!OWN.has(name.toLowerCase())) seen.fields.push([name, response.rawHeaders[i + 1]]);
      }
      response.setEncoding('latin1').on('data', (piece) => { seen.body += piece; });
      response.on('error', end);
      response.on('end', () => { seen.trailers = response.trailers; end(null); });
    });
    request.end();
  });
}

scenario('what a Node app can answer', { timeout: 120_000 }, async (s, t) => {
  const origin = await s.origin((request, response) => {
    ANSWERS[decodeURIComponent(request.url.slice(1))](response);
  });
  const berth = await s.front(origin, { upstream: { ejection: 'off' } });
  const [host, port] = origin.address.split(':');
  for (const name of Object.keys(ANSWERS)) {
    await t.test(name, async () => {
      const path = `/${encodeURIComponent(name)}`;
      const direct = await ask({ host, port, path });
      const through = await ask({ ...target(berth), path });
      if (MENDED[name] !== undefined) {
        assert.deepEqual([through.status, through.body, through.broken], [200, MENDED[name], null]);
        return;
      }
      const invalid = direct.broken !== null && direct.broken !== 'broken';
      if (invalid || REFUSED[name]) {
        assert.equal(through.status, 502, JSON.stringify({ direct, through }));
        assert.match(through.proxyStatus, /^berth; error=http_protocol_error; details="bad_response: [^"]+"$/);
        if (REFUSED[name]) assert.ok(through.proxyStatus.includes(REFUSED[name]), through.proxyStatus);
        return;
      }
      const view = ({ interim, status, reason, fields, body, trailers, broken }) => ({ interim, status, reason, fields, body, trailers, broken });
      // A 204 with the fields of a body is too much for Node 18's client; Berth leaves those fields out.
      if (direct.status === 204) direct.broken = null;
      assert.deepEqual(view(through), view(direct));
    });
  }
});
