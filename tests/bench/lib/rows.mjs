// What is measured. Targets are the largest ratio of CPU time per request, Berth to the other.
// `load` are arguments of the load generator, `setup` those of the contenders (contenders.mjs).

const medium = 64 * 1024;
const large = 1024 * 1024;

export const rows = [
  {
    id: 'small',
    title: 'small GET, keep-alive on both sides',
    load: ['--path', '/small'],
    targets: { nginx: 0.85, haproxy: 0.70 },
  },
  {
    id: 'small-log',
    title: 'small GET, access log on',
    load: ['--path', '/small'],
    setup: { access_log: true },
    targets: { nginx: 0.85, haproxy: 0.70 },
  },
  {
    id: 'small-forwarded',
    title: 'small GET, the others add X-Forwarded-For, -Proto, -Host and X-Request-Id as Berth does',
    load: ['--path', '/small'],
    setup: { forwarded: true },
  },
  {
    id: '64k',
    title: '64 KiB response bodies',
    load: ['--path', '/64k', '--length', medium],
    targets: { nginx: 0.60, haproxy: 0.60 },
  },
  {
    id: '64k-tuned',
    title: '64 KiB response bodies, nginx and HAProxy with buffers for all of it',
    load: ['--path', '/64k', '--length', medium],
    setup: { large_buffers: true },
  },
  {
    id: '1m',
    title: '1 MiB response bodies',
    load: ['--path', '/1m', '--length', large],
    connections: 16,
  },
  {
    id: 'post',
    title: 'POST of 16 KiB, nginx and HAProxy with buffers for all of it',
    load: ['--path', '/post', '--post', 16 * 1024],
    setup: { large_buffers: true },
    targets: { nginx: 0.85 },
  },
  {
    id: 'post-plain',
    title: 'POST of 16 KiB, everything as it comes (nginx: a file for each body, two writes and a delayed ACK)',
    load: ['--path', '/post', '--post', 16 * 1024],
  },
  {
    id: 'many',
    title: '5,000 active clients over 16 upstream connections (nginx: 16 kept, no bound)',
    load: ['--path', '/small'],
    connections: 5000,
    setup: { upstream_connections: 16 },
    seconds: 2,  // the factor by which the rounds of this row are longer
    targets: { nginx: 0.50 },
    p99_no_worse_than: 'nginx',
  },
  {
    id: 'close',
    title: 'small GET, a new client connection for each',
    load: ['--path', '/small', '--close'],
  },
  {
    id: 'h2c',
    title: 'small GET over HTTP/2 without TLS, 100 streams on each of 4 connections (latency: mean and longest)',
    h2load: { path: '/small', connections: 4, streams: 100, requests_per_second: 40_000 },
    setup: { http2: true },
    targets: { nginx: 0.60, haproxy: 0.60 },
  },
  {
    id: 'h2',
    title: 'small GET over HTTP/2 and TLS, 100 streams on each of 4 connections (latency: mean and longest)',
    h2load: { scheme: 'https', path: '/small', connections: 4, streams: 100, requests_per_second: 40_000 },
    setup: { http2: true, tls: true },
    targets: { nginx: 0.60, haproxy: 0.60 },
  },
  {
    id: 'h2c-64k',
    title: '64 KiB response bodies over HTTP/2 without TLS, 20 streams on each of 4 connections',
    h2load: { path: '/64k', connections: 4, streams: 20, requests_per_second: 10_000 },
    setup: { http2: true },
  },
];

export const idle_row = {
  id: 'idle',
  title: 'resident memory for each of 10,000 idle client connections that have made one request',
  connections: 10_000,
};
