// A browser: Chromium, headless, loads a page through Berth and says what it got.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { X509Certificate, createHash } from 'node:crypto';
import { IMAGES, browserApp } from './lib/browser_page.mjs';
import { Authority } from './lib/certificates.mjs';
import { config, scenario } from './lib/scenario.mjs';
import { within } from './lib/wait.mjs';

// Starting a browser may take long on a busy machine.
const BROWSER_PATIENCE_MS = 60_000;

const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
const skip = chromium === undefined && 'there is no chromium (scripts/setup browser)';

// Opens `url`, trusting the certificates with these public keys.
function browse(s, url, certificates) {
  const keys = certificates.map((pem) =>
    createHash('sha256').update(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })).digest('base64'));
  const child = spawn(chromium, ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-extensions',
    '--disable-background-networking', '--no-proxy-server', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', `--user-data-dir=${s.folder()}`,
    '--remote-debugging-port=0', `--ignore-certificate-errors-spki-list=${keys.join()}`, url], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  child.stderr.on('data', (bytes) => { said += bytes; });
  const ended = new Promise((resolve) => child.on('close', resolve));
  // With its helpers, which write to its folder to the last.
  s.client(() => {
    try { process.kill(-child.pid, 'SIGKILL'); } catch { /* it has ended by itself */ }
    return ended;
  });
  return () => said.slice(-2000);
}

// Loads the page. `tls`: the listener's certificates; none: plain HTTP. Resolves with Berth, when all is over but the
// browser's connections.
async function load(s, { tls, listener }) {
  const app = browserApp();
  const origin = await s.origin(app.handler);
  app.attach(origin.server);
  const pair = tls ? new Authority(s.folder()).issue('127.0.0.1') : undefined;
  const berth = await s.berth(config(origin, { listener: { ...(pair ? { tls: { certificates: [pair.files] } } : {}), ...listener } }));
  const said = browse(s, pair ? berth.url.replace('http', 'https') : berth.url, pair ? [pair.cert] : []);
  const result = await within(app.result, () => `the browser's account; it said ${said()}`, BROWSER_PATIENCE_MS);
  assert.deepEqual(result, {
    errors: [], images: IMAGES, events: '1,2,3,4,5', stream: 1_000_000, form: [200, 'Zoë 300000'],
    socket: { sizes: [1, 70_000, 500_000], code: 1000, wasClean: true }, aborted: true,
    protocols: [tls ? 'h2' : 'http/1.1'],
  });
  return berth;
}

// What the access log says of the page: each request was answered, but for the two streams that the page gave up.
// Resolves with the number of connections that they came on.
async function answered(berth, protocol) {
  const busy = ['active', 'writing', 'upgraded'];
  await berth.measured((m) => m.sum('berth_client_streams') === 0 && busy.every((state) => m.sum('berth_client_connections', { state }) === 0),
    'every request to end');
  // The page, its style and icon, five steps, and the account of it.
  const lines = (await berth.accessLines(IMAGES + 9)).map((line) => JSON.parse(line));
  assert.deepEqual(new Set(lines.map((line) => line.protocol)), new Set([protocol]));
  const bad = lines.filter((line) => line.reason !== undefined || ![101, 200].includes(line.status));
  assert.deepEqual(new Set(bad.map((line) => `${line.target} ${line.status}`)), new Set(['/endless 200', '/events 200']));
  // Over HTTP/1.1 the browser closes the connection, with FIN or with RST.
  for (const line of bad) assert.ok(protocol === 'HTTP/1.1' ? /^client_(?:reset|aborted)$/.test(line.reason) : line.reason === 'client_reset', line.reason);
  return new Set(lines.map((line) => line.client)).size;
}

scenario('Chromium over HTTP/2: a page with all that belongs to it, and its WebSocket, on one connection', { skip, timeout: 120_000 }, async (s) => {
  const berth = await load(s, { tls: true });
  assert.equal(await answered(berth, 'HTTP/2'), 1);
});

scenario('Chromium over HTTP/1.1: the same page', { skip, timeout: 120_000 }, async (s) => {
  const berth = await load(s, { tls: false });
  await answered(berth, 'HTTP/1.1');
});

// Chromium fails requests that it is about to send when GOAWAY comes: so it must not come in the middle of a page.
scenario('Chromium over HTTP/2: a connection that has had its requests ends after the page', { skip, timeout: 120_000 }, async (s) => {
  const berth = await load(s, { tls: true, listener: { keepalive_requests: 40 } });
  await berth.measured((m) => m.sum('berth_client_connections_closed_total', { reason: 'keepalive_requests' }) >= 1, 'the end of the connection');
});
