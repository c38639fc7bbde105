// Malformed requests: each gets its status and Connection: close, reaches no server, and is counted by reason.
import assert from 'node:assert/strict';
import { scenario } from './lib/scenario.mjs';
import { readAll } from './lib/origin.mjs';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a\r\n';
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
// What must not be taken for a request of its own.
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

const REFUSED = [
  // Request line
  ['no method', ' / HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_method'],
  ['a method that is no token', 'G@T / HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_method'],
  ['a TLS ClientHello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'bad_method'],
  ['a method without end', 'M'.repeat(100), 400, 'bad_method'],
  ['two spaces before the target', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_target'],
  ['a space within the target', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_request_line'],
  ['no version: HTTP/0.9', 'GET /\r\n', 400, 'bad_request_line'],
  ['lower-case version', 'GET / http/1.1\r\nHost: a\r\n\r\n', 400, 'bad_request_line'],
  ['a space behind the version', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', 400, 'bad_request_line'],
  ['HTTP/2.0 in clear text', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505, 'bad_version'],
  ['HTTP/3.0', 'GET / HTTP/3.0\r\nHost: a\r\n\r\n', 505, 'bad_version'],
  ['a relative target', 'GET index.html HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_target'],
  ['a fragment', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_target'],
  ['a target of raw UTF-8', 'GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_target'],
  ['NUL in the target', 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_target'],
  ['* for another method than OPTIONS', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_target'],
  ['another scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_target'],
  ['a user in an absolute target', 'GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'bad_target'],
  ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 501, 'method_not_allowed'],
  ['TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 501, 'method_not_allowed'],
  ['a target beyond max_target', `GET /${'x'.repeat(8192)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414, 'target_too_long'],
  ['a target without end', `GET /${'x'.repeat(20000)}`, 414, 'target_too_long'],
  // Line ends
  ['bare LF behind the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 400, 'bare_line_end'],
  ['bare LF everywhere', 'GET / HTTP/1.1\nHost: a\n\n', 400, 'bare_line_end'],
  ['bare LF at the end of the head', `${GET}\n`, 400, 'bare_line_end'],
  ['bare CR in a value', `${GET}X: a\rY: b\r\n\r\n`, 400, 'bare_line_end'],
  ['bare CR before the line end', `${GET}X: a\r\r\n\r\n`, 400, 'bare_line_end'],
  // Fields
  ['a space before the colon', `${GET}X : y\r\n\r\n`, 400, 'bad_header_name'],
  ['Content-Length with a space before the colon', `${POST}Content-Length : 5\r\n\r\nhello`, 400, 'bad_header_name'],
  ['Transfer-Encoding with a space before the colon', `${POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`, 400, 'bad_header_name'],
  ['a field without a colon', `${GET}nonsense\r\n\r\n`, 400, 'bad_header_name'],
  ['a field without a name', `${GET}: x\r\n\r\n`, 400, 'bad_header_name'],
  ['a name in UTF-8', `${GET}X\xc3\xb6: y\r\n\r\n`, 400, 'bad_header_name'],
  ['NUL in a value', `${GET}X: a\0b\r\n\r\n`, 400, 'bad_header_value'],
  ['an escape in a value', `${GET}X: a\x1b[0m\r\n\r\n`, 400, 'bad_header_value'],
  ['a folded line', `${GET}X: a\r\n b\r\n\r\n`, 400, 'obs_fold'],
  ['a first field that is indented', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400, 'obs_fold'],
  ['a folded Transfer-Encoding', `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`, 400, 'obs_fold'],
  ['a head beyond max_head', `${GET}X: ${'x'.repeat(40000)}\r\n\r\n`, 431, 'head_too_large'],
  ['a head without end', `${GET}${'X: y\r\n'.repeat(7000)}`, 431, 'head_too_large'],
  ['too many fields', `${GET}${'X: y\r\n'.repeat(1000)}\r\n`, 431, 'too_many_headers'],
  // Host
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'bad_host'],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 400, 'bad_host'],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400, 'bad_host'],
  ['two different Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n', 400, 'bad_host'],
  ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400, 'bad_host'],
  ['a Host with a user', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400, 'bad_host'],
  ['a Host with a list', 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n', 400, 'bad_host'],
  ['a port that is no number', 'GET / HTTP/1.1\r\nHost: a:http\r\n\r\n', 400, 'bad_host'],
  ['a Host that the target contradicts', 'GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n', 400, 'bad_host'],
  // Framing
  ['Content-Length with Transfer-Encoding', `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`, 400, 'length_and_chunked'],
  ['Transfer-Encoding with Content-Length', `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${SMUGGLED}`, 400, 'length_and_chunked'],
  ['two Content-Lengths', `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, 400, 'bad_content_length'],
  ['two equal Content-Lengths', `${POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, 400, 'bad_content_length'],
  ['a list of Content-Lengths', `${POST}Content-Length: 5, 5\r\n\r\nhello`, 400, 'bad_content_length'],
  ['a negative Content-Length', `${POST}Content-Length: -1\r\n\r\n`, 400, 'bad_content_length'],
  ['a signed Content-Length', `${POST}Content-Length: +5\r\n\r\nhello`, 400, 'bad_content_length'],
  ['a hexadecimal Content-Length', `${POST}Content-Length: 0x5\r\n\r\nhello`, 400, 'bad_content_length'],
  ['an empty Content-Length', `${POST}Content-Length:\r\n\r\n`, 400, 'bad_content_length'],
  ['a Content-Length of 2^64 + 5', `${POST}Content-Length: 18446744073709551621\r\n\r\nhello`, 400, 'bad_content_length'],
  ['gzip, chunked', `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 501, 'unknown_transfer_coding'],
  ['chunked, identity', `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`, 400, 'bad_transfer_encoding'],
  ['xchunked', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 400, 'bad_transfer_encoding'],
  ['two Transfer-Encodings', `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400, 'bad_transfer_encoding'],
  ['Transfer-Encoding in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400, 'bad_transfer_encoding'],
  // Chunks
  ['a chunk size that is no number', `${CHUNKED}x\r\n`, 400, 'bad_chunk'],
  ['an empty chunk size', `${CHUNKED}\r\n`, 400, 'bad_chunk'],
  ['a negative chunk size', `${CHUNKED}-1\r\n`, 400, 'bad_chunk'],
  ['0x before a chunk size', `${CHUNKED}0x5\r\nhello\r\n0\r\n\r\n`, 400, 'bad_chunk'],
  ['a space behind a chunk size', `${CHUNKED}5 \r\nhello\r\n0\r\n\r\n`, 400, 'bad_chunk'],
  ['a semicolon without an extension', `${CHUNKED}5;\r\nhello\r\n0\r\n\r\n`, 400, 'bad_chunk'],
  ['an extension that is none', `${CHUNKED}5;bad[=x\r\nhello\r\n0\r\n\r\n`, 400, 'bad_chunk'],
  ['an extension whose quotes stay open', `${CHUNKED}5;a="x\r\nhello\r\n0\r\n\r\n`, 400, 'bad_chunk'],
  ['a chunk size of 2^64 + 5', `${CHUNKED}10000000000000005\r\nhello\r\n0\r\n\r\n`, 400, 'bad_chunk'],
  ['a chunk longer than it says', `${CHUNKED}3\r\nhello\r\n0\r\n\r\n${SMUGGLED}`, 400, 'bad_chunk'],
  ['bare LF behind a chunk size', `${CHUNKED}5\nhello\r\n0\r\n\r\n`, 400, 'bad_chunk'],
  ['bare LF behind a chunk', `${CHUNKED}5\r\nhello\n0\r\n\r\n`, 400, 'bad_chunk'],
  ['a chunk extension with a bare LF', `${CHUNKED}5;a\nhello\r\n0\r\n\r\n${SMUGGLED}`, 400, 'bad_chunk'],
  ['a chunk extension without end', `${CHUNKED}5;${'x'.repeat(5000)}`, 400, 'bad_chunk'],
  ['a malformed trailer', `${CHUNKED}5\r\nhello\r\n0\r\nX : y\r\n\r\n`, 400, 'bad_trailer'],
  ['a trailer with a bare LF', `${CHUNKED}5\r\nhello\r\n0\r\nX: y\n\r\n`, 400, 'bad_trailer'],
  // The rest
  ['a body beyond max_body', `${POST}Content-Length: 1048577\r\n\r\n`, 413, 'body_too_large'],
  ['another expectation', `${POST}Content-Length: 5\r\nExpect: 200-ok\r\n\r\nhello`, 417, 'bad_expect'],
  ['an upgrade with a body', `${POST}Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello`, 400, 'bad_upgrade'],
];

scenario('malformed requests', { timeout: 120_000 }, async (s, t) => {
  const origin = await s.origin();
  const berth = await s.front(origin, { listener: { max_body: '1MiB' } });
  for (const [name, bytes, status, reason] of REFUSED) {
    await t.test(`${name}: ${status}`, async () => {
      const before = await berth.metrics();
      const wire = await s.wire(berth);
      wire.write(bytes);
      const got = await wire.response();
      assert.equal(got.status, status);
      assert.equal(got.get('connection'), 'close');
      assert.match(got.get('proxy-status'), new RegExp(`^berth; error=\\w+; details="${reason}"$`));
      assert.equal(await wire.finish(), 'FIN');
      assert.equal(wire.received.length, 0, 'nothing behind the refusal');
      const after = await berth.metrics();
      const labels = { reason };
      assert.equal(after.sum('berth_client_requests_refused_total', labels) - before.sum('berth_client_requests_refused_total', labels), 1);
      assert.equal(origin.connections, 0, 'no server sees anything of it');
      wire.destroy();
    });
  }
  assert.equal((await s.request(berth)).status, 200);
});

scenario('a malformed request behind good ones: those are answered first', async (s) => {
  const origin = await s.origin((request, response) => setTimeout(() => response.end(request.url), 5));
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write(`GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nBad Name: x\r\n\r\n${SMUGGLED}`);
  assert.equal((await wire.response()).body, '/1');
  assert.equal((await wire.response()).body, '/2');
  assert.equal((await wire.response()).status, 400);
  assert.equal(await wire.finish(), 'FIN');
  assert.deepEqual(origin.requests.map((r) => r.url), ['/1', '/2']);
});

scenario('malformed heads are refused in whatever pieces they come', async (s) => {
  const origin = await s.origin();
  const berth = await s.front(origin);
  for (const bytes of ['GET / HTTP/1.1\r\nBad Name: x\r\n', 'GET / HTTP/1.1\nHost: a\n', `${POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\n`]) {
    const wire = await s.wire(berth);
    for (const byte of bytes) {
      wire.write(byte);
      await new Promise(setImmediate);
    }
    assert.equal((await wire.response()).status, 400);
  }
  assert.equal(origin.connections, 0);
});

scenario('a bad chunk in a body that already streams: the server sees no complete request', async (s) => {
  let complete = 0, aborted = 0;
  const origin = await s.origin(async (request, response) => {
    try {
      await readAll(request);
      ++complete;
      response.end();
    } catch {
      ++aborted;
      origin.changed();
    }
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write(`${CHUNKED}${(100_000).toString(16)}\r\n${'x'.repeat(100_000)}\r\n`);
  await origin.seen((o) => o.requests.length === 1);
  wire.write('oops\r\n');
  const got = await wire.response();
  assert.deepEqual([got.status, got.get('connection')], [400, 'close']);
  await origin.seen(() => aborted === 1, 'the request breaks off');
  assert.equal(complete, 0);
});

scenario('a chunked body that grows beyond max_body: 413', async (s) => {
  const origin = await s.origin(async (request) => { await readAll(request).catch(() => {}); });
  const berth = await s.front(origin, { listener: { max_body: '200KiB' } });
  const wire = await s.wire(berth);
  wire.write(CHUNKED);
  for (let i = 0; i < 5; ++i) wire.write(`${(65536).toString(16)}\r\n${'x'.repeat(65536)}\r\n`);
  const got = await wire.response();
  assert.deepEqual([got.status, got.get('connection')], [413, 'close']);
  await origin.seen((o) => o.open.size === 0, 'its connection is closed');
});

scenario('max_body: unlimited', async (s) => {
  const origin = await s.origin(async (request, response) => response.end(String((await readAll(request)).length)));
  const berth = await s.front(origin, { listener: { max_body: 'unlimited' } });
  assert.equal((await s.request(berth, { body: 'x'.repeat(3 << 20) })).body, String(3 << 20));
});

scenario('an empty line before a request is allowed (RFC 9112 section 2.2)', async (s) => {
  const berth = await s.front(await s.origin());
  const wire = await s.wire(berth);
  for (let i = 0; i < 2; ++i) {
    wire.write('\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await wire.response()).status, 200);
  }
});

scenario('a refusal reaches a client that goes on sending', async (s) => {
  const berth = await s.front(await s.origin());
  const wire = await s.wire(berth);
  wire.write(`${POST}Content-Length: x\r\n\r\n`);
  wire.write(Buffer.alloc(1 << 20, 'x'));
  assert.equal((await wire.response()).status, 400);
  assert.equal(await wire.finish(), 'FIN');
});
