// What a checkout offers besides the program.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { ROOT } from './lib/berth.mjs';
import { scenario } from './lib/scenario.mjs';

scenario('scripts/version: what `git tag` names, and what has been committed since', (s) => {
  const folder = s.folder();
  const script = path.join(folder, 'scripts/version');
  mkdirSync(path.dirname(script));
  copyFileSync(path.join(ROOT, 'scripts/version'), script);
  const version = () => execFileSync(script, { encoding: 'utf8' }).trim();
  const git = (...args) => execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], { cwd: folder, stdio: 'pipe' });
  const commit = () => git('commit', '--quiet', '--allow-empty', '-m', 'More');

  assert.match(version(), /^\d+\.\d+\.\d+$/, 'an unpacked tarball');
  git('init', '--quiet');
  git('add', '.');
  commit();
  assert.match(version(), /^\d+\.\d+\.\d+\+g[0-9a-f]+$/, 'no tag yet');
  git('tag', 'v3.2.1');
  assert.equal(version(), '3.2.1');
  writeFileSync(path.join(folder, 'scripts/version'), `${readFileSync(script, 'utf8')}\n`);
  assert.equal(version(), '3.2.1-dirty');
  commit();
  git('checkout', '--quiet', '--', '.');
  assert.match(version(), /^3\.2\.1\+1\.g[0-9a-f]+$/);
});

// Markdown files outside of folders that others own.
function documents(folder = ROOT) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return /^(\.|node_modules$|build$)/.test(entry.name) ? [] : documents(file);
    return entry.name.endsWith('.md') ? [file] : [];
  });
}

// As GitHub makes them of headings.
function anchors(text) {
  return [...text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading.toLowerCase()
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'));
}

test('every link within the documents leads somewhere', () => {
  const broken = [];
  for (const file of documents()) {
    const text = readFileSync(file, 'utf8').replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [name, anchor] = target.split('#');
      const other = name === '' ? file : path.resolve(path.dirname(file), name);
      const there = existsSync(other) && (anchor === undefined || anchors(readFileSync(other, 'utf8')).includes(anchor));
      if (!there) broken.push(`${path.relative(ROOT, file)}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});
