// Numbers to text.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const fixed = (digits) => (value) => value.toFixed(digits);
export const whole = (value) => Math.round(value).toLocaleString('en-US');

export function duration_us(value) {
  return value < 1000 ? `${value.toFixed(0)} us` : `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} ms`;
}

// Columns as wide as their widest cell; the first one to the left, the others to the right.
export function print_table(header, lines) {
  const widths = header.map((_, i) => Math.max(...[header, ...lines].map((line) => line[i].length)));
  const format = (line) => line
    .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  for (const line of [header, ...lines]) console.log(`  ${format(line)}`.trimEnd());
}
