// Clients that leave before their answer is there, in every way in which clients leave, and the patient one that comes after.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { within } from './wait.mjs';

export async function get(s, berth, path) {
  const wire = await s.wire(berth);
  return wire.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
}

// Berth's connections to app servers in this state, by its metrics.
export const upstreams = (state) => (m) => m.sum('berth_upstream_connections', { state });

// A patient client, on a connection of its own.
export async function served(s, berth, path = '/') {
  const got = await s.request(berth, { agent: false, path });
  assert.equal(got.status, 200, got.headers['proxy-status']);
  return got;
}

async function session(s, berth) {
  const one = http2.connect(berth.url);
  one.on('error', () => {});
  s.client(() => one.destroy());
  await within(new Promise((resolve) => one.once('remoteSettings', resolve)), 'SETTINGS');
  return one;
}

function stream(connection, path) {
  const one = connection.request({ ':path': path });
  one.on('error', () => {});
  return one;
}

// Each makes one client that has asked for /held, and returns what it does to leave.
export const leavers = {
  'reset (RST)': async (s, berth) => {
    const wire = await get(s, berth, '/held');
    return () => wire.reset();
  },
  'close (FIN)': async (s, berth) => {
    const wire = await get(s, berth, '/held');
    return () => wire.destroy();
  },
  'shut down their sending side': async (s, berth) => {
    const wire = await get(s, berth, '/held');
    return () => wire.end();
  },
  'cancel their HTTP/2 stream': async (s, berth) => {
    berth.session ??= await session(s, berth);
    const one = stream(berth.session, '/held');
    return () => one.close(http2.constants.NGHTTP2_CANCEL);
  },
  'close their HTTP/2 connection': async (s, berth) => {
    const one = await session(s, berth);
    stream(one, '/held');
    return () => one.destroy();
  },
};

// `count` clients, four at a time, which all wait for 40 ms and no longer.
export async function giveUp(s, berth, count, leaver = leavers['reset (RST)']) {
  for (let i = 0; i < count; i += 4) {
    const leave = await Promise.all(Array.from({ length: 4 }, () => leaver(s, berth)));
    await sleep(40);
    for (const one of leave) one();
  }
}
