// App servers that answer wrongly: 502, the connection closed, and never a byte of it in another response.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { config, scenario } from './lib/scenario.mjs';
import { deferred } from './lib/wait.mjs';

const MALFORMED = [
  ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['a bare LF before the status line', '\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a status of 0', 'HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n'],
  ['a status that is no number', 'HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n'],
  ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ['a bare CR', 'HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n'],
  ['a folded line', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n'],
  ['a space before the colon', 'HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n'],
  ['NUL in a value', 'HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 0\r\n\r\n'],
  ['two Content-Lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!'],
  ['a Content-Length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello'],
  ['another Transfer-Encoding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n'],
  ['a bad first chunk size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ['101 that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
  ['interim responses without end', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)],
];

scenario('malformed responses', { timeout: 120_000 }, async (s, t) => {
  let answer;
  const origin = await s.wireOrigin(async (wire) => {
    for (;;) {
      await wire.request();
      wire.write(answer);
    }
  });
  const berth = await s.front(origin);
  for (const [name, bytes] of MALFORMED) {
    await t.test(`${name}: 502`, async () => {
      answer = bytes;
      const wire = await s.wire(berth);
      const before = origin.connections;
      wire.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
      const got = await wire.response('POST');
      assert.equal(got.status, 502);
      assert.match(got.get('proxy-status'), /^berth; error=/);
      assert.equal(origin.connections, before + 1, 'asked once');
      await origin.seen((o) => o.open.size === 0, 'the connection is closed');
      // The client's connection lives on, and the next answer is its own.
      answer = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok';
      wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      assert.equal((await wire.response()).body, 'ok');
      wire.destroy();
      await origin.seen((o) => o.open.size === 0, 'the connection is closed');
    });
  }
  await berth.measured((now) => now.sum('berth_client_requests_total', { code: '502' }) === MALFORMED.length);
  await berth.measured((now) => now.sum('berth_upstream_connections_closed_total', { reason: 'bad_response' }) === MALFORMED.length - 1 &&
    now.sum('berth_upstream_connections_closed_total', { reason: 'unexpected_upgrade' }) === 1);
});

scenario('a response head beyond max_response_head: 502', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    await wire.request();
    wire.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}\r\nContent-Length: 0\r\n\r\n`);
  });
  const berth = await s.front(origin);
  const got = await s.request(berth);
  assert.equal(got.status, 502);
  assert.match(got.headers['proxy-status'], /response_head_too_large/);
});

scenario('the same bytes in pieces are judged the same', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    await wire.request();
    for (const byte of 'HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n') {
      wire.write(byte);
      await new Promise(setImmediate);
    }
  });
  const berth = await s.front(origin);
  assert.equal((await s.request(berth)).status, 502);
});

scenario('bytes behind a response never reach the next request', async (s) => {
  let nth = 0;
  const origin = await s.wireOrigin(async (wire) => {
    for (;;) {
      await wire.request();
      wire.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${++nth}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nleaked`);
    }
  });
  const berth = await s.front(origin, { workers: 1 });
  for (let i = 1; i <= 9; ++i) {
    const got = await s.request(berth);
    assert.deepEqual([got.status, got.body], [200, String(i)]);
  }
  assert.equal(origin.connections, 9);
  await berth.measured((m) => m.sum('berth_upstream_connections_closed_total', { reason: 'leftover_bytes' }) === 9);
});

scenario('bytes that come later, while the connection is idle, close it', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    await wire.request();
    wire.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    await deferredLeak.promise;
    wire.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nleaked');
  });
  const deferredLeak = deferred();
  const berth = await s.front(origin);
  assert.equal((await s.request(berth)).body, 'ok');
  await berth.measured((m) => m.sum('berth_upstream_connections', { state: 'idle' }) === 1);
  deferredLeak.resolve();
  await origin.seen((o) => o.open.size === 0, 'the connection is closed');
  await berth.measured((m) => m.sum('berth_upstream_connections_closed_total', { reason: 'bytes_while_idle' }) === 1);
});

scenario('a response before the request is no answer to it', async (s) => {
  let early = true;
  const origin = await s.wireOrigin(async (wire) => {
    if (early) wire.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nleaked');
    for (;;) {
      await wire.request();
      wire.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown');
    }
  });
  const berth = await s.front(origin);
  for (let i = 0; i < 20; ++i) {
    // Whether Berth sees the bytes before or after it has sent the request: it must not take them for a response to
    // something that it had not sent.
    const got = await s.request(berth, { method: 'POST', body: 'x' });
    assert.ok(got.status === 502 || got.body === 'own' || got.body === 'leaked', got.body);
    if (got.body === 'leaked') {
      // Sent between Berth's connect and its request: indistinguishable. But the real answer must not be used again.
      await origin.seen((o) => o.open.size === 0, 'the connection is closed');
    }
  }
  early = false;
  await berth.measured((m) => m.sum('berth_upstream_connections', { state: 'idle' }) === 0);
});

scenario('two clients, one connection, a server that answers twice: each gets its own or nothing', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    for (;;) {
      const seen = await wire.request();
      const one = `HTTP/1.1 200 OK\r\nContent-Length: ${seen.target.length}\r\n\r\n${seen.target}`;
      wire.write(one);
      setImmediate(() => wire.write(one));  // late: when the connection is idle, or already in use again
    }
  });
  const berth = await s.front(origin, { workers: 1, pool: { max_connections: 1 } });
  let own = 0;
  for (let i = 0; i < 200; ++i) {
    const got = await s.request(berth, { path: `/${i}` });
    assert.notEqual(got.body, `/${i - 1}`, 'another request\'s answer');
    if (got.status === 200) {
      assert.equal(got.body, `/${i}`);
      ++own;
    } else {
      assert.equal(got.status, 502);
    }
  }
  assert.ok(own > 0);
});

for (const [name, bytes] of [
  ['Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this'],
  ['a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this'],
  ['the last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n'],
  ['the trailers', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n0\r\nX: y'],
]) {
  scenario(`a body that ends before ${name} does: the client sees a broken transfer`, async (s) => {
    const origin = await s.wireOrigin(async (wire) => {
      await wire.request();
      wire.write(bytes).end();
    });
    const berth = await s.front(origin);
    await assert.rejects(s.request(berth), (error) => ['ECONNRESET', 'HPE_INVALID_EOF_STATE'].includes(error.code) || /aborted/.test(error.message));
    await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'response_aborted' }) === 1);
  });
}

for (const [name, head, behind] of [
  ['Content-Length', 'Content-Length: 1000', 'only this'],
  ['chunks', 'Transfer-Encoding: chunked', '9\r\nonly this\r\n'],
]) {
  for (const how of ['end', 'reset']) {
    scenario(`a body with ${name} that breaks off (${how}): what came of it, and FIN, as from the server itself`, async (s) => {
      const go = deferred();
      const origin = await s.wireOrigin(async (wire) => {
        await wire.request();
        wire.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${behind}`);
        await go.promise;
        wire[how]();
      });
      const berth = await s.front(origin);
      const wire = await s.wire(berth);
      wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await wire.upTo('only this');
      go.resolve();
      assert.equal(await wire.finish(), 'FIN');
      assert.ok(!wire.received.toString().includes('0\r\n\r\n'), 'no last chunk');
      const line = JSON.parse((await berth.accessLines())[0]);
      assert.deepEqual([line.status, line.reason], [200, how === 'end' ? 'server_closed' : 'server_reset']);
    });
  }
}

scenario('chunked together with Content-Length: chunked decides, and the connection is not used again', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    for (;;) {
      await wire.request();
      wire.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
    }
  });
  const berth = await s.front(origin);
  for (let i = 1; i <= 3; ++i) {
    const got = await s.request(berth);
    assert.deepEqual([got.body, got.headers['content-length'], origin.connections], ['hello', undefined, i]);
  }
  await berth.measured((m) => m.sum('berth_upstream_connections_closed_total', { reason: 'ambiguous_length' }) === 3);
});

for (const [what, fields] of [
  ['without Upgrade', 'Connection: upgrade'],
  ['for another protocol', 'Connection: upgrade\r\nUpgrade: other'],
  ['with a wrong Sec-WebSocket-Accept', 'Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA='],
  ['without Sec-WebSocket-Accept', 'Connection: upgrade\r\nUpgrade: websocket'],
]) {
  scenario(`a 101 ${what} opens no tunnel`, async (s) => {
    const origin = await s.wireOrigin(async (wire) => {
      await wire.head();
      wire.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\nHTTP/1.1 200 OK\r\n\r\nnot this`);
    });
    const berth = await s.front(origin);
    const wire = await s.wire(berth);
    wire.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
    const got = await wire.response();
    assert.equal(got.status, 502);
    assert.match(got.get('proxy-status'), /^berth; error=http_upgrade_failed; details="unexpected_upgrade: .*(Upgrade|protocol|Accept)"$/);
    await origin.seen((o) => o.open.size === 0, 'the connection is closed');
    assert.equal(origin.connections, 1, 'asked once');
  });
}

scenario('a server that speaks HTTP/2 is recognised, and said so', async (s) => {
  const server = http2.createServer();
  const sessions = new Set();
  server.on('session', (session) => { sessions.add(session); session.on('error', () => {}); });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  s.behind({ close: () => { for (const one of sessions) one.destroy(); server.close(); } });
  const berth = await s.front(`127.0.0.1:${server.address().port}`);
  for (let i = 0; i < 3; ++i) {
    const got = await s.request(berth);
    assert.deepEqual([got.status, got.headers['proxy-status']], [502, 'berth; error=http_protocol_error; details="server_speaks_http2"']);
  }
  const lines = (await berth.accessLines(3)).map((line) => JSON.parse(line).reason);
  assert.deepEqual(lines, Array(3).fill('server_speaks_http2'));
});

scenario('a malformed response: log and Proxy-Status say what is wrong, and where', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    await wire.request();
    wire.write('HTTP/1.1 200 OK\r\nX-Good: 1\r\nX-Bad: a\x01b\r\nContent-Length: 0\r\n\r\n');
  });
  const berth = await s.front(origin);
  const got = await s.request(berth);
  assert.deepEqual([got.status, got.headers['proxy-status']], [502, 'berth; error=http_protocol_error; details="bad_response: control byte in X-Bad"']);
  const line = JSON.parse((await berth.accessLines())[0]);
  assert.deepEqual([line.reason, line.detail], ['bad_response', 'control byte in X-Bad']);
});

scenario('max_fields, of requests and of responses', async (s) => {
  const origin = await s.origin((request, response) => {
    for (let i = 0; i < Number(request.headers.want); ++i) response.appendHeader('Set-Cookie', `c${i}=`);
    response.end('ok');
  });
  const berth = await s.front(origin, { listener: { max_fields: 20 }, upstream: { max_fields: 50 } });
  const ask = async (mine, want) => {
    const wire = await s.wire(berth);
    wire.write(`GET / HTTP/1.1\r\nHost: a\r\nWant: ${want}\r\n${'X: y\r\n'.repeat(mine - 2)}\r\n`);
    return wire.response();
  };
  assert.equal((await ask(20, 40)).status, 200);
  const refused = await ask(21, 1);
  assert.deepEqual([refused.status, refused.get('proxy-status')], [431, 'berth; error=http_request_error; details="too_many_headers"']);
  const failed = await ask(3, 50);
  assert.equal(failed.status, 502);
  assert.match(failed.get('proxy-status'), /^berth; error=http_response_header_section_size; details="response_too_many_fields/);
});

scenario('a body that ends too early for an HTTP/1.0 client: RST, for FIN would mean success', async (s) => {
  const go = deferred();
  const origin = await s.wireOrigin(async (wire) => {
    await wire.request();
    wire.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n');
    await go.promise;
    wire.end();
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  await wire.upTo('only this');  // libuv takes an RST that comes with data for a FIN
  go.resolve();
  assert.equal(await wire.finish(), 'ECONNRESET');
});

scenario('a bad chunk in the middle of a response: a broken transfer', async (s) => {
  const go = deferred();
  const origin = await s.wireOrigin(async (wire) => {
    await wire.request();
    wire.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    await go.promise;
    wire.write('nonsense\r\n');
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await wire.upTo('hello\r\n');
  go.resolve();
  await wire.finish();
  assert.doesNotMatch(wire.received.toString(), /0\r\n/);
});

scenario('a server that resets: 502 to a POST, another try for a GET', async (s) => {
  let seen = 0;
  const origin = await s.wireOrigin(async (wire) => {
    const request = await wire.request();
    ++seen;
    if (request.method === 'GET' && seen > 1) {
      wire.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
    } else {
      wire.reset();
    }
  });
  const berth = await s.front(origin);
  assert.equal((await s.request(berth)).body, 'ok');
  assert.equal(seen, 2);
  const got = await s.request(berth, { method: 'POST', body: 'x' });
  assert.deepEqual([got.status, seen], [502, 3]);
  const m = await berth.metrics();
  assert.equal(m.sum('berth_upstream_retries_total', { reason: 'idempotent' }), 1);
});

scenario('a server that closes without an answer: never a second POST, unless it carries an Idempotency-Key', async (s) => {
  let seen = 0;
  const origin = await s.wireOrigin(async (wire) => {
    await wire.request();
    ++seen;
    wire.end();
  });
  const berth = await s.front(origin);
  assert.equal((await s.request(berth, { method: 'POST', body: 'x' })).status, 502);
  assert.equal(seen, 1);
  assert.equal((await s.request(berth, { method: 'POST', body: 'x', headers: { 'idempotency-key': 'k' } })).status, 502);
  assert.equal(seen, 1 + 3);
});

scenario('a server that answers and closes while the request is still on its way: its answer counts', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    await wire.head();
    wire.write('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno').end();
  });
  const berth = await s.front(origin);
  const wire = await s.wire(berth);
  wire.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n');
  wire.write('x'.repeat(100_000));
  const got = await wire.response('POST');
  assert.deepEqual([got.status, got.body], [401, 'no']);
});

scenario('HEAD answered with a body: not passed on, the connection not used again', async (s) => {
  const origin = await s.wireOrigin(async (wire) => {
    for (;;) {
      await wire.request();
      wire.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
    }
  });
  const berth = await s.front(origin, { workers: 1 });
  const wire = await s.wire(berth);
  for (let i = 0; i < 3; ++i) {
    wire.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await wire.response('HEAD')).get('content-length'), '5');
  }
  assert.equal(origin.connections, 3);
});

scenario('a server that fails twice is passed over by the third attempt, however little it has to do', async (s) => {
  const held = [];
  const busy = await s.origin((request, response) => { if (request.url === '/held') held.push(response); else response.end('ok'); });
  let failures = 0;
  const dying = await s.wireOrigin(async (wire) => {
    const seen = await wire.request();
    if (seen.target !== '/held') ++failures;
    wire.destroy();
  });
  const berth = await s.front(busy, { workers: 1 });
  const waiting = Array.from({ length: 3 }, () => s.request(berth, { path: '/held' }));
  await busy.seen(() => held.length === 3);
  // Now the dying one is the one with the fewest requests, and is asked first.
  await berth.reload(config([busy, dying]));
  assert.equal((await s.request(berth)).body, 'ok');
  assert.equal(failures, 2);
  for (const response of held) response.end();
  await Promise.all(waiting);
});
