// Traffic for the demo: each function drives some through the proxy, checks the answers, and says what it saw.
import assert from 'node:assert/strict';
import http from 'node:http';

// One request through `agent`; resolves to {status, headers, body, first_byte_ms}.
function request(url, { agent, method = 'GET', body, headers } = {}) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const req = http.request(url, { agent, method, headers, timeout: 30_000 }, (res) => {
      const chunks = [];
      let first_byte_ms;
      res.on('data', (chunk) => {
        first_byte_ms ??= performance.now() - start;
        chunks.push(chunk);
      });
      res.on('error', reject);
      res.on('end', () =>
        resolve({
          status: res.statusCode,
          headers: res.headers,
          body: Buffer.concat(chunks).toString(),
          first_byte_ms,
          whole_ms: performance.now() - start,
        }),
      );
    });
    req.on('error', reject);
    req.on('timeout', () => req.destroy(new Error(`${method} ${url}: no answer for 30 s`)));
    req.end(body);
  });
}

export async function show_answers(front, apps) {
  // One connection, so one worker: each has a rotation of its own.
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const seen = new Set();
  for (let i = 0; i < apps.length; i += 1) {
    const answer = await request(`${front}/`, { agent });
    assert.equal(answer.status, 200, answer.body);
    console.log(`  GET  /        ${answer.status}  ${answer.body.trim()}`);
    seen.add(JSON.parse(answer.body).port);
  }
  assert.equal(seen.size, apps.length, 'round robin reaches every app server');

  const text = 'What goes in comes out.';
  const echo = await request(`${front}/echo`, { agent, method: 'POST', body: text });
  assert.equal(echo.status, 200);
  assert.equal(echo.body, text);
  console.log(`  POST /echo    ${echo.status}  ${echo.body}`);

  const headers = await request(`${front}/headers`, { agent, headers: { 'x-forwarded-for': 'forged' } });
  const told = JSON.parse(headers.body).headers;
  assert.equal(told['x-forwarded-for'], '127.0.0.1', 'a client cannot forge X-Forwarded-For');
  console.log(`  GET  /headers ${headers.status}  the app sees x-forwarded-for: ${told['x-forwarded-for']}`);

  const ticks = await request(`${front}/ticks`, { agent });
  assert.equal(ticks.status, 200);
  assert.equal(ticks.body.match(/^data: tick/gm)?.length, 5);
  assert.ok(ticks.first_byte_ms < ticks.whole_ms, 'events arrive one by one');
  console.log(
    `  GET  /ticks   ${ticks.status}  5 events, the first after ${ticks.first_byte_ms.toFixed(0)} ms, ` +
      `the last after ${ticks.whole_ms.toFixed(0)} ms`,
  );
  agent.destroy();
}

// Many clients at once, each with a keep-alive connection of its own.
export async function share_few_connections(cluster, limit) {
  const clients = 100;
  const each = 20;
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients });
  const start = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let i = 0; i < each; i += 1) {
        const answer = await request(`${cluster.front}/`, { agent });
        assert.equal(answer.status, 200, answer.body);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  agent.destroy();
  const most = await cluster.most_connections();
  console.log(
    `  ${clients} clients sent ${clients * each} requests in ${seconds.toFixed(1)} s; ` +
      `the app servers saw at most ${most.join(', ')} connections at a time (limit ${limit})`,
  );
  for (const seen of most) assert.ok(seen <= limit, `max_connections is ${limit}, and ${seen} were open`);
}

// A burst of POSTs at the moment at which the app servers close the connections that the last burst left idle.
export async function burst_at_expiry(front, idle_ms) {
  const posts = 20;
  const answers = await Promise.allSettled(
    Array.from({ length: posts }, (_, i) => request(`${front}/echo`, { method: 'POST', body: `post ${i}` })),
  );
  const bad = answers.filter((a, i) => a.value?.status !== 200 || a.value.body !== `post ${i}`);
  console.log(
    `  ${posts} POSTs after ${(idle_ms / 1000).toFixed(2)} s of silence: ${posts - bad.length} answered` +
      (bad.length ? `, ${bad.length} failed` : ''),
  );
  assert.equal(bad.length, 0, `failed: ${bad[0]?.reason ?? `${bad[0]?.value.status} ${bad[0]?.value.body}`}`);
}
