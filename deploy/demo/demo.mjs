// The demo: real Node servers, Berth in front of them, traffic, and what there is to see. Runs until Ctrl-C, or
// DEMO_SECONDS; its exit code tells whether everything went well.
import { Cluster } from './cluster.mjs';
import { show_metrics } from './metrics.mjs';
import { burst_at_expiry, share_few_connections, show_answers } from './traffic.mjs';

const limit = 4;  // pool.max_connections in berth.yaml
const seconds = process.env.DEMO_SECONDS ? Number(process.env.DEMO_SECONDS) : Infinity;
if (!(seconds >= 0)) {
  console.error(`demo: DEMO_SECONDS must be a number, not '${process.env.DEMO_SECONDS}'`);
  process.exit(2);
}

const cluster = new Cluster();
const done = new AbortController();
let failed = false;

function fail(why) {
  failed = true;
  console.error(`demo: ${why}`);
  done.abort();
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  let count = 0;
  process.on(signal, () => {
    count += 1;
    if (count > 1) process.exit(1);
    done.abort();
  });
}
process.on('exit', () => cluster.kill());
process.stdout.on('error', () => process.exit(1));  // nobody reads any more

// Resolves after `ms`, or at once when the demo is to end.
function pause(ms) {
  return new Promise((resolve) => {
    if (done.signal.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    done.signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}

async function show() {
  await cluster.start(fail);
  const { front, admin, apps, version } = cluster;
  console.log(
    `\n${version} in front of ${apps.length} app servers: Node ${process.version}, ` +
      `keepAliveTimeout ${apps[0].keep_alive_ms / 1000} s\n`,
  );
  await show_answers(front, apps);
  await share_few_connections(cluster, limit);
  console.log();
  await show_metrics(admin, apps);
  console.log(`
Open:
  ${front}/         the app servers, through Berth (also /headers, /ticks, /slow?ms=500)
  ${admin}/metrics  every metric, for Prometheus
  ${admin}/status   the state of both sides, as JSON

Now bursts of POSTs, just as Node closes the connections that the last burst left idle.`);
  if (Number.isFinite(seconds)) setTimeout(() => done.abort(), seconds * 1000).unref();
  else console.log('Ctrl-C ends the demo.');

  // Recent versions of Node keep a connection a second longer than they announce.
  const offsets_ms = [-150, 0, 950, 1000, 1050, 50];
  let idle_ms = 0;
  for (let burst = 0; !done.signal.aborted; burst += 1) {
    await burst_at_expiry(front, idle_ms);
    idle_ms = apps[0].keep_alive_ms + offsets_ms[burst % offsets_ms.length];
    await pause(idle_ms);
  }
}

try {
  await show();
} catch (error) {
  if (!failed) fail(error.message);
}
const code = await cluster.stop();
if (code !== 0 && !failed) fail(`Berth did not end in good order (exit code ${code})`);
if (!failed) console.log('\nBerth drained and ended; nothing failed.');
process.exit(failed ? 1 : 0);
