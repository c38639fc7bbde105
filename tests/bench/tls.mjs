// TLS 1.3 to clients, through Berth and nginx, one worker each, over the same origin: the proxy's CPU time for each
// handshake and request, and its memory for each idle connection. The proxies take turns, so that a change of the
// machine's mood meets both; of each row the median of the rounds counts.
//
//   tests/bench/tls [--rounds N] [--quick]
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const args = process.argv.slice(2);
if (args.includes('--help')) {
  console.log(readFileSync(fileURLToPath(import.meta.url), 'utf8').split('\n').filter((line) => line.startsWith('//')).map((line) => line.slice(3)).join('\n'));
  process.exit(0);
}
const quick = args.includes('--quick');
const rounds = Number(args[args.indexOf('--rounds') + 1]) || (quick ? 3 : 7);
const dir = mkdtempSync(path.join(os.tmpdir(), 'berth-tls-'));
const children = [];
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

execFileSync('make', ['-s', '-f', path.join(here, 'Makefile')], { stdio: 'inherit' });
const load = path.join(root, 'build/bench/tls_load');
const [crt, key] = [path.join(dir, 'site.crt'), path.join(dir, 'site.key')];
execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-days', '2', '-keyout', key, '-out', crt], { stdio: 'ignore' });

function start(command, argv) {
  const child = spawn(command, argv, { stdio: ['ignore', 'ignore', 'inherit'] });
  children.push(child);
  return child;
}

const originSource = `
const http = require('node:http');
const bodies = new Map();
http.createServer((request, response) => {
  const size = Number(request.url.slice(1)) || 0;
  if (!bodies.has(size)) bodies.set(size, Buffer.alloc(size, 'x'));
  response.setHeader('content-length', size);
  response.end(bodies.get(size));
}).listen(0, '127.0.0.1', function () { this.keepAliveTimeout = 1e6; console.log(this.address().port); });`;
const origin = spawn(process.execPath, ['-e', originSource], { stdio: ['ignore', 'pipe', 'inherit'] });
children.push(origin);
const originPort = Number(String(await new Promise((resolve) => origin.stdout.once('data', resolve))));

const freePort = () => Number(execFileSync(process.execPath, ['-e', "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"]));

function berth(port) {
  const file = path.join(dir, 'berth.yaml');
  writeFileSync(file, JSON.stringify({
    workers: 1,
    listeners: [{ address: `127.0.0.1:${port}`, keepalive_timeout: '1h', keepalive_requests: 10_000_000, tls: { certificates: [{ certificate: crt, key }] } }],
    upstreams: { app: { servers: [`127.0.0.1:${originPort}`], pool: { keepalive_requests: 10_000_000, keepalive_timeout: '1h', queue_timeout: '60s' } } },
    admin: 'off', access_log: 'off',
  }));
  return start(process.env.BERTH_BIN ?? path.join(root, 'build/berth'), ['run', '-c', file]).pid;
}

function nginx(port) {
  const file = path.join(dir, 'nginx.conf');
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${dir}/${kind};`).join(' ');
  writeFileSync(file, `
${process.getuid() === 0 ? 'user root;' : ''} worker_processes 1; master_process off; daemon off; pid ${dir}/nginx.pid; error_log ${dir}/error.log crit;
worker_rlimit_nofile 20000;
events { worker_connections 20000; }
http { ${temp} access_log off; keepalive_requests 10000000; keepalive_timeout 1h;
  proxy_buffers 8 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 128k;
  ssl_certificate ${crt}; ssl_certificate_key ${key}; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets on; ssl_session_cache off;
  upstream app { server 127.0.0.1:${originPort}; keepalive 64; keepalive_requests 10000000; keepalive_timeout 1h; }
  server { listen 127.0.0.1:${port} ssl;
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Request-Id $request_id; } } }`);
  return start('/usr/sbin/nginx', ['-c', file, '-p', dir]).pid;
}

const proxies = [{ name: 'berth', port: freePort() }, { name: 'nginx', port: freePort() }];
proxies[0].pid = berth(proxies[0].port);
proxies[1].pid = nginx(proxies[1].port);

// User and system time, in milliseconds.
function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
const memory = (pid) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))[1]) * 1024;
const run = (proxy, ...rest) => new Promise((resolve, reject) => {
  spawn(load, [String(proxy.port), ...rest.map(String)], { stdio: ['ignore', 'ignore', 'inherit'] })
    .on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`tls_load ${rest.join(' ')} on ${proxy.name}: ${code}`))));
});
for (const proxy of proxies) {
  for (let tries = 0; ; ++tries) {
    try {
      execFileSync(load, [String(proxy.port), 'full', '1'], { stdio: 'ignore' });
      break;
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const scale = quick ? 1 : 4;
const rows = [
  { name: 'GET of 100 bytes, keep-alive', work: ['get', 8000 * scale, 100], target: 0.85 },
  { name: 'GET of 64 KiB', work: ['get', 1500 * scale, 65536] },
  { name: 'GET of 1 MiB', work: ['get', 150 * scale, 1 << 20], target: 0.85 },
  { name: 'full handshake and a GET', work: ['full', 300 * scale], target: 0.95 },
  { name: 'resumed handshake and a GET', work: ['resumed', 800 * scale], target: 1.0 },
];
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const only = args.includes('--row') ? args[args.indexOf('--row') + 1] : '';
console.log(`${os.cpus()[0].model}, ${os.cpus().length} cores; load ${os.loadavg()[0].toFixed(1)}; ${rounds} rounds\n`);
console.log('CPU time of the proxy, microseconds for each'.padEnd(50), 'berth'.padStart(9), 'nginx'.padStart(9), 'ratio'.padStart(7));
for (const row of rows.filter((one) => one.name.includes(only))) {
  const times = { berth: [], nginx: [] };
  for (const proxy of proxies) await run(proxy, row.work[0], Math.ceil(row.work[1] / 10), ...row.work.slice(2));
  for (let round = 0; round < rounds; ++round) {
    for (const proxy of round % 2 ? proxies : [...proxies].reverse()) {
      const before = cpu(proxy.pid);
      await run(proxy, ...row.work);
      times[proxy.name].push((cpu(proxy.pid) - before) * 1000 / row.work[1]);
    }
  }
  const ratio = median(times.berth.map((time, i) => time / times.nginx[i]));
  const verdict = row.target === undefined ? '' : ratio <= row.target ? `  (at most ${row.target})` : `  ABOVE ${row.target}`;
  console.log(row.name.padEnd(50), median(times.berth).toFixed(1).padStart(9), median(times.nginx).toFixed(1).padStart(9), ratio.toFixed(2).padStart(7) + verdict);
}

const idle = 3000;
const bytes = {};
for (const proxy of proxies) {
  const before = memory(proxy.pid);
  const child = spawn(load, [String(proxy.port), 'idle', String(idle)], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  await new Promise((resolve, reject) => child.stdout.once('data', resolve) && child.once('exit', reject));
  bytes[proxy.name] = (memory(proxy.pid) - before) / idle;
  child.removeAllListeners('exit');
  child.stdin.end('\n');
  await new Promise((resolve) => child.once('exit', resolve));
}
console.log(`${`memory of an idle connection, bytes (${idle})`.padEnd(50)} ${bytes.berth.toFixed(0).padStart(9)} ${bytes.nginx.toFixed(0).padStart(9)} ${(bytes.berth / bytes.nginx).toFixed(2).padStart(7)}`);
process.exit(0);
