// Prometheus' text format, as much of it as the tests need.

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export class Metrics {
  constructor(text) {
    this.text = text;
    this.samples = [];
    for (const line of text.split('\n')) {
      const match = SAMPLE.exec(line);
      if (!match) continue;
      const labels = Object.fromEntries([...(match[2] ?? '').matchAll(LABEL)].map(([, name, value]) => [name, value]));
      this.samples.push({ name: match[1], labels, value: Number(match[3]) });
    }
  }

  // Of all samples with these labels.
  sum(name, labels = {}) {
    let total = 0;
    for (const sample of this.samples) {
      if (sample.name !== name) continue;
      if (Object.entries(labels).every(([key, value]) => sample.labels[key] === String(value))) total += sample.value;
    }
    return total;
  }

  has(name) { return this.samples.some((sample) => sample.name === name); }
}
