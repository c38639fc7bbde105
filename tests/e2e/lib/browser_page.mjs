// A page that does what pages do, and an app server for it. The browser's own account of it is posted to /result.
import { WebSocketServer } from 'ws';
import { readAll } from './origin.mjs';
import { deferred } from './wait.mjs';

export const IMAGES = 50;
const DOT = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle cx="4" cy="4" r="4"/></svg>';

// Runs in the browser.
async function page() {
  const result = { errors: [] };
  const step = async (name, body) => {
    try {
      result[name] = await body();
    } catch (error) {
      result.errors.push(`${name}: ${error}`);
    }
  };
  await new Promise((resolve) => (document.readyState === 'complete' ? resolve() : addEventListener('load', resolve)));
  const images = [...document.images];
  result.images = images.filter((image) => image.complete && image.naturalWidth === 9).length;
  await Promise.all([
    step('events', () => new Promise((resolve, reject) => {
      const got = [];
      const source = new EventSource('/events');
      source.onerror = () => { source.close(); reject(new Error(`after ${got}`)); };
      source.onmessage = ({ data }) => {
        got.push(data);
        if (got.length < 5) return;
        source.close();
        resolve(got.join());
      };
    })),
    step('stream', async () => {
      let bytes = 0;
      const reader = (await fetch('/stream')).body.getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) bytes += part.value.length;
      return bytes;
    }),
    step('form', async () => {
      const form = new FormData();
      form.set('name', 'Zoë');
      form.set('file', new Blob(['x'.repeat(300_000)]), 'big.txt');
      const answer = await fetch('/form', { method: 'POST', body: form });
      return [answer.status, await answer.text()];
    }),
    step('socket', () => new Promise((resolve, reject) => {
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/socket`);
      const sizes = [];
      socket.onerror = () => reject(new Error(`after ${sizes}`));
      socket.onopen = () => { for (const size of [1, 70_000, 500_000]) socket.send('w'.repeat(size)); };
      socket.onmessage = ({ data }) => {
        sizes.push(data.length);
        if (sizes.length === 3) socket.close(1000, 'done');
      };
      socket.onclose = ({ code, wasClean }) => resolve({ sizes, code, wasClean });
    })),
    // One that is given up half-way.
    step('aborted', async () => {
      const abort = new AbortController();
      const answer = await fetch('/endless', { signal: abort.signal });
      await answer.body.getReader().read();
      abort.abort();
      return true;
    }),
  ]);
  result.protocols = [...new Set(performance.getEntriesByType('resource').map((entry) => entry.nextHopProtocol))].sort();
  await fetch('/result', { method: 'POST', body: JSON.stringify(result) });
}

const HTML = `<!doctype html><meta charset="utf-8"><title>Berth</title>
<link rel="stylesheet" href="/style.css"><link rel="icon" href="/favicon.svg">
${Array.from({ length: IMAGES }, (_, i) => `<img src="/image/${i}.svg" alt="">`).join('\n')}
<script>(${page})()</script>`;

const bytesOf = async (request) => Buffer.from(await readAll(request), 'latin1');

// `{handler, attach(server), result}`: for an HttpOrigin; `result` is a promise of what the browser found.
export function browserApp() {
  const result = deferred();
  const type = (response, what) => response.setHeader('content-type', what);
  const handler = async (request, response) => {
    const { pathname } = new URL(request.url, 'http://app');
    if (pathname === '/') {
      type(response, 'text/html');
      response.end(HTML);
    } else if (pathname.endsWith('.svg')) {
      type(response, 'image/svg+xml');
      response.end(DOT);
    } else if (pathname === '/style.css') {
      type(response, 'text/css');
      response.end('img { margin: 1px }');
    } else if (pathname === '/events') {
      type(response, 'text/event-stream');
      let sent = 0;
      const timer = setInterval(() => response.write(`data: ${++sent}\n\n`), 20);
      response.on('close', () => clearInterval(timer));
    } else if (pathname === '/stream') {
      for (let i = 0; i < 20; ++i) {
        response.write(Buffer.alloc(50_000, 's'));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      response.end();
    } else if (pathname === '/endless') {
      const timer = setInterval(() => response.write('again '), 20);
      response.on('close', () => clearInterval(timer));
    } else if (pathname === '/form') {
      const form = await new Response(await bytesOf(request), { headers: { 'content-type': request.headers['content-type'] } }).formData();
      response.end(`${form.get('name')} ${form.get('file').size}`);
    } else if (pathname === '/result') {
      const text = await bytesOf(request);
      response.end('thanks');
      result.resolve(JSON.parse(text));
    } else {
      response.writeHead(404).end();
    }
  };
  const attach = (server) => {
    new WebSocketServer({ server, path: '/socket' })
      .on('connection', (socket) => socket.on('message', (data) => socket.send(data.toString())));
  };
  return { handler, attach, result: result.promise };
}
