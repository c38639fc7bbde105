// The pool metrics that matter, from Berth's /metrics.
import assert from 'node:assert/strict';

// [{name, labels, value}] from Prometheus' text format.
export async function scrape(admin) {
  const response = await fetch(`${admin}/metrics`);
  assert.equal(response.status, 200);
  const samples = [];
  for (const line of (await response.text()).split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match) continue;
    const labels = {};
    for (const [, key, value] of (match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[key] = value;
    samples.push({ name: match[1], labels, value: Number(match[3]) });
  }
  return samples;
}

// The sum of the samples of that name whose labels match.
function sum(samples, name, labels = {}) {
  const found = samples.filter(
    (s) => s.name === name && Object.entries(labels).every(([key, value]) => s.labels[key] === value),
  );
  assert.ok(found.length > 0, `the metric ${name} ${JSON.stringify(labels)} is there`);
  return found.reduce((total, s) => total + s.value, 0);
}

export async function show_metrics(admin, apps) {
  const samples = await scrape(admin);
  const rows = apps.map(({ name, port }) => {
    const server = `127.0.0.1:${port}`;
    const of = (metric, labels) => sum(samples, `berth_upstream_${metric}`, { server, ...labels });
    const requests = of('requests_total');
    const opened = of('connections_opened_total');
    return {
      server: `${name} ${server}`,
      limit: of('connections_limit'),
      active: of('connections', { state: 'active' }),
      idle: of('connections', { state: 'idle' }),
      opened,
      requests,
      'requests/connection': opened ? (requests / opened).toFixed(1) : '-',
      'stale, failed': of('stale_reuse_total', { outcome: 'failed' }),
    };
  });
  const columns = Object.keys(rows[0]);
  const widths = columns.map((c) => Math.max(c.length, ...rows.map((row) => String(row[c]).length)));
  const line = (cells) =>
    cells.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i]))).join('  ');
  console.log(`  ${line(columns)}`);
  for (const row of rows) console.log(`  ${line(Object.values(row))}`);
  console.log(
    `  clients: ${sum(samples, 'berth_client_connections_accepted_total')} connections accepted, ` +
      `${sum(samples, 'berth_client_requests_total')} requests; ` +
      `queue: ${sum(samples, 'berth_upstream_acquisitions_total', { source: 'queue' })} waited, ` +
      `${sum(samples, 'berth_upstream_queue_rejected_total')} were turned away`,
  );
  for (const row of rows) {
    assert.ok(row.active + row.idle <= row.limit, `${row.server}: the bound holds`);
    assert.ok(row.requests > row.opened, `${row.server}: connections are reused`);
    assert.equal(row['stale, failed'], 0, `${row.server}: no request failed on a stale connection`);
  }
}
