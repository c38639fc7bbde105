// Traffic for the demo: each function drives some through the proxy, checks the answers, and says what it saw.
import assert from 'node:assert/strict';
import http from 'node:http';

// One request through `agent`; resolves to {status, headers, body, first_byte_ms}.
function request(url, { agent, method = 'GET', body, headers } = {}) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const req = http.request(url, { agent, method, headers }, (res) => {
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
    req.end(body);
  });
}

export async function show_answers(front, apps) {
  const seen = new Set();
  for (let i = 0; i < apps.length; i += 1) {
    const answer = await request(`${front}/`);
    assert.equal(answer.status, 200, answer.body);
    console.log(`  GET  /        ${answer.status}  ${answer.body.trim()}`);
    seen.add(JSON.parse(answer.body).port);
  }
  assert.equal(seen.size, apps.length, 'round robin reaches every app server');

  const text = 'What goes in comes out.';
  const echo = await request(`${front}/echo`, { method: 'POST', body: text });
  assert.equal(echo.status, 200);
  assert.equal(echo.body, text);
  console.log(`  POST /echo    ${echo.status}  ${echo.body}`);

  const headers = await request(`${front}/headers`, { headers: { 'x-forwarded-for': 'forged' } });
  const told = JSON.parse(headers.body).headers;
  assert.equal(told['x-forwarded-for'], '127.0.0.1', 'a client cannot forge X-Forwarded-For');
  console.log(`  GET  /headers ${headers.status}  the app sees x-forwarded-for: ${told['x-forwarded-for']}`);

  const ticks = await request(`${front}/ticks`);
  assert.equal(ticks.status, 200);
  assert.equal(ticks.body.match(/^data: tick/gm)?.length, 5);
  assert.ok(ticks.first_byte_ms < ticks.whole_ms, 'events arrive one by one');
  console.log(
    `  GET  /ticks   ${ticks.status}  5 events, the first after ${ticks.first_byte_ms.toFixed(0)} ms, ` +
      `the last after ${ticks.whole_ms.toFixed(0)} ms`,
  );
}

// Many clients at once, each with a keep-alive connection of its own.
export async function share_few_connections(front, apps, limit) {
  const clients = 100;
  const each = 20;
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients });
  const start = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let i = 0; i < each; i += 1) {
        const answer = await request(`${front}/`, { agent });
        assert.equal(answer.status, 200, answer.body);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  agent.destroy();
  const counts = await Promise.all(
    apps.map(async ({ port }) => JSON.parse((await request(`http://127.0.0.1:${port}/counts`)).body)),
  );
  console.log(
    `  ${clients} clients sent ${clients * each} requests in ${seconds.toFixed(1)} s; ` +
      `most connections each app server saw at a time: ${counts.map((c) => c.most_sockets).join(', ')}`,
  );
  // One of the connections that an app server saw is ours, to ask for its counts.
  for (const { most_sockets } of counts) assert.ok(most_sockets <= limit + 1, `bound ${limit}: ${most_sockets}`);
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
