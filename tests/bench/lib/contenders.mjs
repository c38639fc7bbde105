// Berth, nginx and HAProxy, each configured for the same work: one worker, keep-alive without end on
// both sides, everything else as it comes. `setup` is what a row of the benchmark varies:
//   access_log   on, to a file, buffered where the proxy can
//   forwarded    nginx and HAProxy add the fields that Berth always adds (X-Forwarded-*, X-Request-Id)
//   large_buffers  body buffers of nginx and HAProxy large enough for the whole body
//   upstream_connections   the bound of (or, nginx cannot queue, the number kept by) the pool
//   max_clients  how many client connections there will be
//   servers      ports of the app servers; the origin's unless given
//   http2        clients speak HTTP/2: without TLS, or with it
//   tls          to clients, with a certificate made for the run
//   strict_bound connections to each server that must not be exceeded, where the proxy can (nginx: and does not queue)
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { first_line_of } from './machine.mjs';
import { free_port, root, start, stop, tree_of, wait_until_serving, wait_until_serving_http2 } from './processes.mjs';

const kForever = 10_000_000;

// A certificate of its own for this folder: {crt, key, both}.
function certificate(dir) {
  const [crt, key, both] = ['site.crt', 'site.key', 'site.pem'].map((name) => path.join(dir, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-days', '2',
    '-keyout', key, '-out', crt], { stdio: 'ignore' });
  writeFileSync(both, readFileSync(crt, 'utf8') + readFileSync(key, 'utf8'));
  return { crt, key, both };
}

const berth = {
  name: 'berth',
  binary: path.join(root, 'build/berth'),
  version() { return first_line_of(this.binary, ['version']); },
  install: 'make',
  async config(dir, { port, servers }, setup) {
    const bound = setup.strict_bound ?? setup.upstream_connections ?? 128;
    const files = setup.tls ? certificate(dir) : null;
    const tls = files ? `\n    tls: {certificates: [{certificate: "${files.crt}", key: "${files.key}"}]}` : '';
    return `
workers: 1
listeners:
  - address: 127.0.0.1:${port}
    keepalive_timeout: 1h
    keepalive_requests: ${kForever}
    keepalive_time: 24h
    http2: {cleartext: ${Boolean(setup.http2 && !setup.tls)}}${tls}
upstreams:
  origin:
    servers: [${servers.map((server) => `"127.0.0.1:${server}"`).join(', ')}]
    pool:
      max_connections: ${bound}
      max_idle: ${bound}
      keepalive_requests: ${kForever}
      keepalive_time: 24h
      queue_size: 20000
      queue_timeout: 60s
routes:
  - {path: /, upstream: origin}
admin: {address: "127.0.0.1:${await free_port()}"}
access_log: {enabled: ${Boolean(setup.access_log)}, path: "${dir}/access.log"}
`;
  },
  argv: (file) => ['run', '-c', file],
  argv_single: (file) => ['run', '-c', file],
};

const nginx = {
  name: 'nginx',
  binary: '/usr/sbin/nginx',
  version() { return first_line_of(this.binary, ['-v']); },
  install: 'apt-get install nginx-light',
  async config(dir, { port, servers }, setup) {
    const files = setup.tls ? certificate(dir) : null;
    const tls = files ? `\n    ssl_certificate ${files.crt}; ssl_certificate_key ${files.key}; ssl_protocols TLSv1.2 TLSv1.3;` : '';
    const max_conns = setup.strict_bound ? ` max_conns=${setup.strict_bound}` : '';
    const log = `access_log ${dir}/access.log combined buffer=64k flush=1s;`;
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `  ${kind}_temp_path ${dir}/${kind};`).join('\n');
    const forwarded = `
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Request-Id $request_id;`;
    const buffers = `
  client_body_buffer_size 64k;
  proxy_buffer_size 16k;
  proxy_buffers 8 32k;
  proxy_busy_buffers_size 128k;`;
    return `
${process.getuid() === 0 ? 'user root;' : ''}
worker_processes 1;
worker_rlimit_nofile 100000;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log crit;
events { worker_connections 40000; }
http {
${temp}
  ${setup.access_log ? log : 'access_log off;'}
  keepalive_timeout 1h;
  keepalive_requests ${kForever};
  keepalive_time 24h;${setup.large_buffers ? buffers : ''}
  upstream origin {
${servers.map((server) => `    server 127.0.0.1:${server}${max_conns};`).join('\n')}
    keepalive ${setup.upstream_connections ?? 128};
    keepalive_requests ${kForever};
    keepalive_timeout 1h;
    keepalive_time 24h;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096${setup.tls ? ' ssl' : ''}${setup.http2 ? ' http2' : ''};${tls}
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";${setup.forwarded ? forwarded : ''}
    }
  }
}
`;
  },
  argv: (file, dir) => ['-p', dir, '-e', `${dir}/error.log`, '-c', file, '-g', 'daemon off;'],
  argv_single: (file, dir) => ['-p', dir, '-e', `${dir}/error.log`, '-c', file, '-g', 'daemon off; master_process off;'],
};

const haproxy = {
  name: 'haproxy',
  binary: '/usr/sbin/haproxy',
  version() { return first_line_of(this.binary, ['-v']); },
  install: 'apt-get install haproxy',
  async config(dir, { port, servers }, setup) {
    const most = setup.strict_bound ?? setup.upstream_connections;
    const bound = most ? ` maxconn ${most}` : '';
    // It replays whatever got no answer, POSTs too: the one way in which it survives a restart.
    const retries = servers.length > 1
      ? '\n  balance roundrobin\n  option redispatch 1\n  retries 3\n  retry-on conn-failure empty-response' : '';
    const forwarded = `
  option forwardfor
  unique-id-format %{+X}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]`;
    return `
global
  nbthread 1
  maxconn ${setup.max_clients + 512}
  no strict-limits
${setup.large_buffers ? '  tune.bufsize 73728' : ''}
${setup.access_log ? '  log stdout format raw local0' : ''}
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 60s
  timeout queue 60s
  timeout http-keep-alive 1h
  http-reuse always
${setup.access_log ? '  log global\n  option httplog' : ''}
frontend clients
  bind 127.0.0.1:${port} backlog 4096${setup.tls ? ` ssl crt ${certificate(dir).both} alpn h2` : setup.http2 ? ' proto h2' : ''}
  default_backend origin${setup.forwarded ? forwarded : ''}
backend origin${retries}
${servers.map((server, i) => `  server origin${i} 127.0.0.1:${server}${bound}`).join('\n')}
`;
  },
  access_log: 'output.log',
  argv: (file) => ['-db', '-f', file],  // not -q: it silences the log on stdout as well
  argv_single: (file) => ['-db', '-f', file],
};

// Not where CPU time is compared: it is no rival in CPU time.
const caddy = {
  name: 'caddy',
  binary: '/usr/bin/caddy',
  version() { return `Caddy ${first_line_of(this.binary, ['version'])}`; },
  install: 'apt-get install caddy',
  async config(dir, { port, servers }, setup) {
    const most = setup.strict_bound
      ? `\n    transport http {\n      max_conns_per_host ${setup.strict_bound}\n    }` : '';
    return `
{
  admin off
  auto_https off
  storage file_system ${dir}
}
:${port} {
  bind 127.0.0.1
  reverse_proxy ${servers.map((server) => `127.0.0.1:${server}`).join(' ')} {${most}
  }
}
`;
  },
  environment: (dir) => ({ XDG_CONFIG_HOME: dir, XDG_DATA_HOME: dir }),
  argv: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
};

export const contenders = [berth, nginx, haproxy];
export const all_contenders = [...contenders, caddy];

// Those that are installed, of all or of those named in `only` ("berth,nginx").
export function choose_contenders(all, only) {
  const wanted = only?.split(',') ?? all.map((contender) => contender.name);
  return wanted.map((name) => {
    const contender = all.find((each) => each.name === name);
    if (!contender) throw new Error(`no contender ${name}`);
    return contender;
  }).filter((contender) => {
    if (existsSync(contender.binary)) return true;
    console.log(`${contender.name} is left out: no ${contender.binary} (${contender.install})`);
    return false;
  });
}

// Starts one on a port of its own. `wrap` is a command to run it under (as a single process).
export async function launch(contender, dir, origin, setup, { cpu = null, wrap = null } = {}) {
  const home = path.join(dir, `${contender.name}-${await free_port()}`);
  mkdirSync(home);
  const port = await free_port();
  const file = path.join(home, 'config');
  writeFileSync(file, await contender.config(home, { port, servers: setup.servers ?? [origin.port] }, setup));
  const argv = wrap === null ? [contender.binary, ...contender.argv(file, home)]
    : [...wrap, contender.binary, ...contender.argv_single(file, home)];
  const options = { cpu, log: path.join(home, 'output.log'), env: contender.environment?.(home) };
  const child = start(argv[0], argv.slice(1), options);
  await (setup.http2 ? wait_until_serving_http2 : wait_until_serving)(child, port, '/small', setup.tls ? 'https' : 'http');
  return {
    name: contender.name, port, home, child,
    pids: tree_of(child.pid),
    access_log: path.join(home, contender.access_log ?? 'access.log'),
    stop: () => stop(child),
  };
}
