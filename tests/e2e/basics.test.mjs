// HTTP/1 through Berth, as clients and app servers speak it every day.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { scenario, target } from './lib/scenario.mjs';
import { readAll } from './lib/origin.mjs';
import { deferred } from './lib/wait.mjs';

// Answers with what it was asked.
async function mirror(request, response) {
  const body = await readAll(request);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ method: request.method, url: request.url, version: request.httpVersion, headers: request.headers, trailers: request.trailers, body }));
}

for (const method of ['GET', 'DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'PROPFIND', 'M-SEARCH']) {
  scenario(`${method} arrives as it was sent, and so does its answer`, async (s) => {
    const berth = await s.front(await s.origin(mirror));
    const body = ['GET', 'OPTIONS'].includes(method) ? undefined : 'some content';
    const headers = body === undefined ? {} : { 'content-length': body.length };  // Node gives DELETE none
    const got = await s.request(berth, { method, path: '/a/b?c=d&e=%20f', headers, body });
    assert.equal(got.status, 200);
    const seen = JSON.parse(got.body);
    assert.deepEqual([seen.method, seen.url, seen.body], [method, '/a/b?c=d&e=%20f', body ?? '']);
    assert.equal(seen.version, '1.1');
  });
}

scenario('HEAD has the length of GET and no body, on a connection that lives on', async (s) => {
  const origin = await s.origin((request, response) => {
    response.setHeader('content-length', 5);
    response.end(request.method === 'HEAD' ? undefined : 'hello');
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  const head = await wire.response('HEAD');
  assert.equal(head.get('content-length'), '5');
  wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await wire.response()).body, 'hello');
  assert.equal(origin.connections, 1);
});

scenario('204 and 304 have no body and no invented length', async (s) => {
  const origin = await s.origin((request, response) => {
    response.writeHead(Number(request.url.slice(1)), { etag: '"x"' });
    response.end();
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  for (const status of [204, 304, 204]) {
    wire.write(`GET /${status} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const got = await wire.response();
    assert.equal(got.status, status);
    assert.equal(got.get('content-length'), undefined);
    assert.equal(got.get('transfer-encoding'), undefined);
  }
});

scenario('304 with the length that a 200 would have had', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    for (;;) {
      await wire.request();
      wire.write('HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: "x"\r\n\r\n');
    }
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  for (let i = 0; i < 2; ++i) {
    wire.write('GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: "x"\r\n\r\n');
    assert.equal((await wire.response()).status, 304);
  }
  assert.equal(origin.connections, 1);
});

scenario('header fields of 20 KiB both ways', async (s) => {
  const big = 'x'.repeat(20 * 1024);
  const origin = await s.origin((request, response) => {
    response.setHeader('x-back', request.headers['x-big']);
    response.end();
  }, { maxHeaderSize: 64 * 1024 });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write(`GET / HTTP/1.1\r\nHost: a\r\nX-Big: ${big}\r\n\r\n`);
  assert.equal((await wire.response()).get('x-back'), big);
});

scenario('a hundred header fields and several Set-Cookie keep their order and number', async (s) => {
  const origin = await s.origin((request, response) => {
    response.setHeader('set-cookie', ['a=1', 'b=2', 'c=3']);
    response.end(JSON.stringify(request.rawHeaders.filter((name) => /^X-N/.test(name))));
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  const names = Array.from({ length: 100 }, (_, i) => `X-N${i}`);
  wire.write(`GET / HTTP/1.1\r\nHost: a\r\n${names.map((name) => `${name}: v\r\n`).join('')}\r\n`);
  const got = await wire.response();
  assert.deepEqual(JSON.parse(got.body), names);
  assert.deepEqual(got.all('set-cookie'), ['a=1', 'b=2', 'c=3']);
});

scenario('a response head of half a megabyte', async (s) => {
  const value = 'v'.repeat(50_000);
  const origin = await s.wireOrigin(async (wire) => {
    await wire.request();
    wire.write(`HTTP/1.1 200 OK\r\n${Array.from({ length: 10 }, (_, i) => `X-${i}: ${value}\r\n`).join('')}Content-Length: 2\r\n\r\nok`);
  });
  const berth = await s.front(origin, { upstream: { max_response_head: '1MiB' } });
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const got = await wire.response();
  assert.deepEqual([got.get('x-9'), got.body], [value, 'ok']);
});

scenario('bytes above 127 in field values pass unchanged', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    const seen = await wire.request();
    wire.write(`HTTP/1.1 200 OK\r\nX-Back: ${seen.get('x-text')}\r\nContent-Length: 0\r\n\r\n`);
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\nX-Text: caf\xe9 \xff\r\n\r\n');
  assert.equal((await wire.response()).get('x-back'), 'caf\xe9 \xff');
});

scenario('HEAD answered as chunked, 204 with a length, 304 as chunked: no body anywhere, one connection', async (s) => {
  const heads = ['200 OK\r\nTransfer-Encoding: chunked', '204 No Content\r\nContent-Length: 0', '304 Not Modified\r\nTransfer-Encoding: chunked', '200 OK\r\nContent-Length: 0'];
  const origin = await s.wireOrigin(async (wire) => {
    for (const head of heads) {
      await wire.request();
      wire.write(`HTTP/1.1 ${head}\r\n\r\n`);
    }
  });
  const berth = await s.front(origin, { workers: 1 });
  const wire = await s.wire(berth);
  for (const [method, status] of [['HEAD', 200], ['GET', 204], ['GET', 304], ['GET', 200]]) {
    wire.write(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
    const got = await wire.response(method);
    assert.deepEqual([got.status, got.body], [status, '']);
    assert.equal(wire.available, 0);
  }
  assert.equal(origin.connections, 1);
});

scenario('a response that comes byte by byte', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    for (;;) {
      await wire.request();
      for (const byte of 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5;ext=1\r\nhello\r\n00\r\nX-T: yes\r\n\r\n') {
        wire.write(byte);
        await new Promise(setImmediate);
      }
    }
  });
  const berth = await s.front(origin, { workers: 1 });
  const wire = await s.wire(berth);
  for (let i = 0; i < 2; ++i) {
    wire.write('GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n');
    const got = await wire.response();
    assert.deepEqual([got.body, got.trailers.get('x-t')], ['hello', 'yes']);
  }
  assert.equal(origin.connections, 1);
});

// --- HTTP/1.0

scenario('HTTP/1.0 without keep-alive: answered, closed, never chunked', async (s) => {
  const origin = await s.origin((request, response) => {
    response.write('a');
    response.end('b');
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  const got = await wire.response();
  assert.equal(got.body, 'ab');
  assert.equal(got.get('transfer-encoding'), undefined);
  assert.equal(got.get('connection'), 'close');
  assert.equal(got.end, 'FIN');
});

scenario('HTTP/1.0 without Host', async (s) => {
  const origin = await s.origin((request, response) => response.end(request.headers.host));
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.0\r\n\r\n');
  assert.equal((await wire.response()).body, 'app');  // the upstream's name
});

scenario('HTTP/1.0 with keep-alive: the connection serves several requests', async (s) => {
  const berth = await s.front(await s.origin((request, response) => {
    response.setHeader('content-length', request.url.length);
    response.end(request.url);
  }));
  const wire = await s.wire(berth);
  for (const url of ['/1', '/22', '/333']) {
    wire.write(`GET ${url} HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n`);
    const got = await wire.response();
    assert.equal(got.body, url);
    assert.match(got.get('connection'), /keep-alive/);
  }
  wire.write('GET /last HTTP/1.0\r\nHost: a\r\n\r\n');
  assert.equal((await wire.response()).get('connection'), 'close');
  assert.equal(await wire.finish(), 'FIN');
});

scenario('HTTP/1.0 with keep-alive and a body of unknown length: ended by closing', async (s) => {
  const berth = await s.front(await s.origin((request, response) => {
    response.write('a');
    response.end('b');
  }));
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
  const got = await wire.response();
  assert.deepEqual([got.body, got.get('connection'), got.end], ['ab', 'close', 'FIN']);
});

// --- Pipelining

scenario('pipelined requests are answered in order, however long each takes', async (s) => {
  const origin = await s.origin((request, response) => {
    // The first is the slowest.
    setTimeout(() => response.end(request.url), request.url === '/0' ? 50 : 0);
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  const urls = Array.from({ length: 20 }, (_, i) => `/${i}`);
  wire.write(urls.map((url) => `GET ${url} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
  for (const url of urls) assert.equal((await wire.response()).body, url);
});

scenario('pipelined POSTs, chunked and with a length, each get their own body', async (s) => {
  const berth = await s.front(await s.origin(mirror));
  const wire = await s.wire(berth);
  let text = '';
  for (let i = 0; i < 10; ++i) {
    text += i % 2 === 0 ? `POST /${i} HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nbody ${i}`
      : `POST /${i} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbody \r\n1\r\n${i}\r\n0\r\n\r\n`;
  }
  wire.write(text);
  for (let i = 0; i < 10; ++i) {
    const seen = JSON.parse((await wire.response()).body);
    assert.deepEqual([seen.url, seen.body], [`/${i}`, `body ${i}`]);
  }
});

scenario('pipelined requests that come in pieces of any size', async (s) => {
  const berth = await s.front(await s.origin(mirror));
  const wire = await s.wire(berth);
  const one = 'POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n';
  const text = one.repeat(3);
  for (const byte of text) {
    wire.write(byte);
    await new Promise(setImmediate);
  }
  for (let i = 0; i < 3; ++i) {
    const seen = JSON.parse((await wire.response()).body);
    assert.deepEqual([seen.url, seen.body], ['/p', 'abc']);
  }
});

scenario('the last pipelined request asks to close: what is behind it is not served', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n');
  await wire.response();
  assert.equal((await wire.response()).get('connection'), 'close');
  assert.equal(await wire.finish(), 'FIN');
  assert.equal(wire.received.length, 0);
  assert.deepEqual(origin.requests.map((r) => r.url), ['/1', '/2']);
});

// --- Bodies

scenario('chunked both ways, with trailers both ways', async (s) => {
  const origin = await s.origin(async (request, response) => {
    const body = await readAll(request);
    response.writeHead(200, { trailer: 'X-Sum' });
    response.write(body);
    response.addTrailers({ 'X-Sum': `${body.length}/${request.trailers['x-check']}` });
    response.end();
  });
  const berth = await s.front(origin);
  const got = await s.request(berth, {
    method: 'POST',
    headers: { trailer: 'X-Check' },
    body: (sent) => {
      sent.write('one ');
      sent.write('two');
      sent.addTrailers({ 'X-Check': 'yes' });
      sent.end();
    },
  });
  assert.equal(got.body, 'one two');
  assert.equal(got.trailers['x-sum'], '7/yes');
});

scenario('a megabyte both ways: with a length, and chunked', async (s) => {
  const berth = await s.front(await s.origin(async (request, response) => response.end(await readAll(request))));
  const body = Buffer.alloc(1 << 20, 'abcdefghijklmnopqrstuvwxyz').toString('latin1');
  assert.equal((await s.request(berth, { method: 'POST', headers: { 'content-length': body.length }, body })).body, body);
  assert.equal((await s.request(berth, { method: 'POST', headers: { 'transfer-encoding': 'chunked' }, body })).body, body);
});

scenario('a body longer than request_buffer streams through before it is complete', async (s) => {
  const first = deferred();
  const origin = await s.origin(async (request, response) => {
    let text = '';
    for await (const piece of request) {
      text += piece;
      first.resolve();
    }
    response.end(text);
  });
  const berth = await s.front(origin, { upstream: { request_buffer: '4KiB' } });
  const got = await s.request(berth, {
    method: 'POST',
    body: async (sent) => {
      sent.write('a'.repeat(5000));
      await first.promise;
      sent.end('b');
    },
  });
  assert.equal(got.body, `${'a'.repeat(5000)}b`);
});

scenario('a small body is received whole before a connection is taken', async (s) => {
  const origin = await s.origin(mirror);
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab');
  await berth.measured((m) => m.sum('berth_client_received_bytes_total') >= 49, 'the first half has come');
  assert.equal(origin.connections, 0);
  wire.write('cd');
  assert.equal(JSON.parse((await wire.response()).body).body, 'abcd');
});

scenario('a response that ends by closing is delimited for an HTTP/1.1 client', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    await wire.request();
    wire.write('HTTP/1.1 200 OK\r\nX-Old: yes\r\n\r\npart one, ').write('part two').end();
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  for (let i = 0; i < 2; ++i) {
    wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const got = await wire.response();
    assert.equal(got.body, 'part one, part two');
    assert.equal(got.chunked, true);
  }
  assert.equal(origin.connections, 2);
});

scenario('an HTTP/1.0 server, with and without keep-alive', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    for (;;) {
      const seen = await wire.request();
      if (seen.target === '/keep') {
        wire.write('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nkept');
      } else {
        wire.write('HTTP/1.0 200 OK\r\n\r\nclosed').end();
      }
    }
  });
  const berth = await s.front(origin, { workers: 1 });
  for (const [url, body] of [['/keep', 'kept'], ['/keep', 'kept'], ['/close', 'closed'], ['/keep', 'kept']]) {
    const got = await s.request(berth, { path: url });
    assert.deepEqual([got.status, got.body, got.httpVersion], [200, body, '1.1']);
  }
  assert.equal(origin.connections, 2);
});

// --- Interim responses and early ones

const EXPECT = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';

scenario('100-continue: Berth says so, and the server hears of the request when its body is here', async (s) => {
  const origin = await s.origin(mirror);
  let asked = 0;
  origin.server.on('checkContinue', () => { ++asked; });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  for (let round = 0; round < 2; ++round) {
    wire.write(EXPECT);
    assert.equal((await wire.head()).line, 'HTTP/1.1 100 Continue');
    assert.equal(origin.requests.length, round);
    wire.write('hello');
    const got = await wire.response();
    assert.deepEqual([JSON.parse(got.body).body, got.interim.length], ['hello', 0]);
    assert.equal(JSON.parse(got.body).headers.expect, undefined);
  }
  assert.equal(asked, 0);
});

scenario('100-continue: who is refused is not asked for the body, and hears that the connection ends', async (s) => {
  const origin = await s.origin(mirror);
  const berth = await s.front(origin, { listener: { max_body: '4B' }, routes: [{ path: '/there', upstream: 'app' }] });
  for (const [request, status] of [
    [EXPECT, 413],
    [EXPECT.replace(' 5', ' 3'), 404],
    [EXPECT.replace('100-continue', 'a-miracle'), 417],
    [EXPECT.replace('100-continue', '100-continue, 100-continue'), 417],
  ]) {
    const wire = await s.wire(berth);
    wire.write(request);
    const got = await wire.response();
    assert.deepEqual([got.status, got.get('connection'), got.interim.length], [status, 'close', 0]);
    assert.equal(await wire.finish(), 'FIN');
  }
  assert.equal(origin.connections, 0);
});

scenario('100-continue: HTTP/1.0 knows nothing of it', async (s) => {
  const berth = await s.front(await s.origin(mirror));
  const wire = await s.wire(berth);
  wire.write(EXPECT.replace('/1.1', '/1.0')).write('hello');
  const got = await wire.response();
  assert.deepEqual([JSON.parse(got.body).body, got.interim.length], ['hello', 0]);
});

scenario('sixteen clients that wait for 100 and then send nothing hold none of two connections', async (s) => {
  const origin = await s.origin(mirror);
  const berth = await s.front(origin, { pool: { max_connections: 2, queue_size: 0 } });
  for (let i = 0; i < 16; ++i) {
    const wire = await s.wire(berth);
    wire.write(EXPECT);
    await wire.upTo('100 Continue\r\n\r\n');
  }
  for (let i = 0; i < 20; ++i) assert.equal((await s.request(berth)).status, 200);
});

// --- request_body: stream

scenario('streaming: the server itself says 100, and only then the body is sent', async (s) => {
  const origin = await s.origin(mirror);
  let asked = 0;
  origin.server.on('checkContinue', (request, response) => {
    ++asked;
    response.writeContinue();
    mirror(request, response);
  });
  const berth = await s.front(origin, { upstream: { request_body: 'stream' } });
  const wire = await s.wire(berth);
  wire.write(EXPECT);
  assert.match((await wire.head()).line, /^HTTP\/1.1 100 /);
  wire.write('hello');
  assert.equal(JSON.parse((await wire.response()).body).body, 'hello');
  assert.equal(asked, 1);
});

scenario('streaming: 100-continue refused by the server: no body is asked for', async (s) => {
  const origin = await s.origin(mirror);
  origin.server.on('checkContinue', (request, response) => {
    response.writeHead(403, { connection: 'close' });
    response.end('no');
  });
  const berth = await s.front(origin, { upstream: { request_body: 'stream' } });
  const wire = await s.wire(berth);
  wire.write(EXPECT);
  const got = await wire.response();
  assert.deepEqual([got.status, got.body, got.interim.length, got.get('connection')], [403, 'no', 0, 'close']);
});

scenario('streaming: both directions at the same time, each piece as it comes; a route of its own', async (s) => {
  const origin = await s.origin((request, response) => {
    response.writeHead(200);
    response.flushHeaders();
    request.pipe(response);
  });
  const berth = await s.front(origin, {
    routes: [{ path: '/echo', upstream: 'app', request_body: 'stream' }, { path: '/', upstream: 'app' }] });
  const wire = await s.wire(berth);
  wire.write('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  assert.match((await wire.head()).line, / 200 /);
  for (const piece of ['one', 'two', 'six']) {
    wire.write(`3\r\n${piece}\r\n`);
    assert.equal(await wire.upTo(`3\r\n${piece}\r\n`), `3\r\n${piece}\r\n`);
  }
  wire.write('0\r\n\r\n');
  await wire.upTo('0\r\n\r\n');
});

scenario('a client that does not wait for 100 gets its answer all the same', async (s) => {
  const berth = await s.front(await s.origin(mirror));
  const wire = await s.wire(berth);
  wire.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello');
  assert.equal(JSON.parse((await wire.response()).body).body, 'hello');
});

scenario('103 early hints come before the response is there', async (s) => {
  const hinted = deferred();
  const origin = await s.origin(async (request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    await hinted.promise;
    response.end('page');
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const hints = await wire.head();
  assert.match(hints.line, /^HTTP\/1.1 103 /);
  assert.equal(hints.get('link'), '</style.css>; rel=preload; as=style');
  hinted.resolve();
  assert.equal((await wire.response()).body, 'page');
});

scenario('interim responses are not sent to HTTP/1.0 clients', async (s) => {
  const origin = await s.origin((request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    response.end('page');
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  const got = await wire.response();
  assert.deepEqual([got.interim.length, got.status, got.body], [0, 200, 'page']);
});

scenario('413 from the app while the client is still sending: the client gets to read it', async (s) => {
  const origin = await s.origin((request, response) => {
    response.writeHead(413, { connection: 'close' });
    response.end('too much');
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  const size = 64 << 20;
  wire.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
  const block = Buffer.alloc(1 << 20, 'x');
  wire.write(block);
  const got = await wire.response();
  assert.deepEqual([got.status, got.body, got.get('connection')], [413, 'too much', 'close']);
  await wire.finish();
});

scenario('an early response with the body still streaming in both directions', async (s) => {
  const origin = await s.origin((request, response) => {
    response.writeHead(200);
    request.pipe(response);
  });
  const berth = await s.front(origin, { upstream: { request_buffer: '4KiB' } });
  const wire = await s.wire(berth);
  wire.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  for (const word of ['a'.repeat(5000), 'beta', 'gamma']) {
    wire.write(`${word.length.toString(16)}\r\n${word}\r\n`);
    await wire.upTo(`${word}\r\n`);
  }
  wire.write('0\r\n\r\n');
  await wire.upTo('0\r\n\r\n');
});

// --- Ends

scenario('half_close: serve: a client that has shut down its sending side still gets its response', async (s) => {
  const release = deferred();
  const origin = await s.origin(async (request, response) => {
    await release.promise;
    response.end('late');
  });
  const berth = await s.front(origin, { listener: { half_close: 'serve' } });
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n').end();
  await origin.seen((o) => o.requests.length === 1);
  await berth.measured((m) => m.sum('berth_client_connections', { state: 'active' }) === 1);
  release.resolve();
  assert.equal((await wire.response()).body, 'late');
  assert.equal(await wire.finish(), 'FIN');
});

scenario('requests and the FIN behind them in one segment: all are answered', async (s) => {
  const berth = await s.front(await s.origin((request, response) => response.end(request.url)),
    { listener: { half_close: 'serve' } });
  const wire = await s.wire(berth);
  wire.socket.end('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /3 HTTP/1.1\r\nHost: a\r\n\r\n');
  for (const url of ['/1', '/2', '/3']) assert.equal((await wire.response()).body, url);
  assert.equal(await wire.finish(), 'FIN');
});

scenario('the FIN of a client is taken as its leaving', async (s) => {
  const origin = await s.origin(() => {});
  const berth = await s.front(origin, {});
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await origin.seen((o) => o.requests.length === 1);
  wire.end();
  await wire.finish();
  await origin.seen((o) => o.open.size === 0, 'its connection is closed');
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'client_aborted' }) === 1);
});

scenario('a client that resets ends the work on the server', async (s) => {
  const origin = await s.origin(() => {});
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await origin.seen((o) => o.requests.length === 1);
  wire.reset();
  await origin.seen((o) => o.open.size === 0, 'its connection is closed');
  await berth.measured((m) => m.sum('berth_client_requests_total', { code: '499' }) === 1 &&
    m.sum('berth_upstream_connections_closed_total', { reason: 'client_gone' }) === 1);
});

// --- Targets and transports

scenario('an absolute-form target: its path goes to the server, its authority is Host', async (s) => {
  const berth = await s.front(await s.origin(mirror));
  const wire = await s.wire(berth);
  wire.write('GET http://example.com:8080/a?b=c HTTP/1.1\r\nHost: example.com:8080\r\n\r\n');
  const seen = JSON.parse((await wire.response()).body);
  assert.deepEqual([seen.url, seen.headers.host], ['/a?b=c', 'example.com:8080']);
});

scenario('OPTIONS *', async (s) => {
  const berth = await s.front(await s.origin(mirror));
  const wire = await s.wire(berth);
  wire.write('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(JSON.parse((await wire.response()).body).url, '*');
});

scenario('from a Unix socket to a Unix socket', async (s) => {
  const folder = s.folder();
  const origin = await s.origin(mirror, { where: { path: path.join(folder, 'app.sock') } });
  const berth = await s.front(origin, { listener: { address: `unix:${path.join(folder, 'front.sock')}` } });
  assert.deepEqual(target(berth), { socketPath: path.join(folder, 'front.sock') });
  for (let i = 0; i < 3; ++i) assert.equal((await s.request(berth, { path: `/${i}` })).status, 200);
  assert.equal(origin.connections <= 2, true);
});

scenario('IPv6 on both sides', async (s) => {
  const origin = await s.origin(mirror, { where: { host: '::1', port: 0 } });
  const berth = await s.front(origin, { listener: { address: '[::1]:0' } });
  const seen = JSON.parse((await s.request(berth)).body);
  assert.equal(seen.headers['x-forwarded-for'], '::1');
});

scenario('several listeners, and both address families of one port', async (s) => {
  const origin = await s.origin(mirror);
  const berth = await s.berth({
    listeners: [{ address: '127.0.0.1:0', name: 'a' }, { address: '[::]:0', name: 'b' }],
    upstreams: { app: { servers: [origin.address] } },
    admin: { address: '127.0.0.1:0' },
  });
  assert.equal((await s.request(berth, { listener: 0 })).status, 200);
  for (const host of ['::1', '127.0.0.1']) {
    const seen = JSON.parse((await s.request({ addresses: [{ host, port: berth.addresses[1].port }] })).body);
    assert.equal(seen.headers['x-forwarded-for'], host);
  }
  await berth.measured((m) => m.sum('berth_client_requests_total', { listener: 'a' }) === 1 &&
    m.sum('berth_client_requests_total', { listener: 'b' }) === 2);
});

scenario('least_requests spreads over the servers, and a slow one gets less', async (s) => {
  const slow = await s.origin((request, response) => setTimeout(() => response.end('slow'), 20));
  const quick = await s.origin((request, response) => response.end('quick'));
  const berth = await s.front([slow, quick]);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  s.client(() => agent.destroy());
  const got = await Promise.all(Array.from({ length: 100 }, () => s.request(berth, { agent })));
  const counts = { slow: 0, quick: 0 };
  for (const one of got) ++counts[one.body];
  assert.ok(counts.slow > 0 && counts.quick > counts.slow, JSON.stringify(counts));
});

for (const balance of ['round_robin', 'random_two']) {
  scenario(`${balance} uses every server`, async (s) => {
    const origins = [await s.origin(), await s.origin(), await s.origin()];
    const berth = await s.front(origins, { upstream: { balance } });
    for (let i = 0; i < 60; ++i) await s.request(berth);
    for (const origin of origins) assert.ok(origin.requests.length > 0);
  });
}
