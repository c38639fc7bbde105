// The command line.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { Berth, ROOT, runBerth } from './lib/berth.mjs';
import { Authority } from './lib/certificates.mjs';
import { config, scenario } from './lib/scenario.mjs';

function fileWith(s, text) {
  const file = path.join(s.folder(), 'berth.yaml');
  writeFileSync(file, text);
  return file;
}

test('version', async () => {
  for (const args of [['version'], ['--version'], ['-V']]) {
    const { code, stdout } = await runBerth(args);
    assert.equal(code, 0);
    assert.match(stdout, /berth \d+\.\d+\.\d+/i);
  }
});

test('help, of everything and of each command', async () => {
  for (const args of [['help'], ['--help'], ['help', 'run'], ['run', '--help'], ['help', 'check'], ['help', 'healthcheck']]) {
    const { code, stdout } = await runBerth(args);
    assert.equal(code, 0, args.join(' '));
    assert.match(stdout, /berth/);
  }
});

test('--version on every command', async () => {
  for (const command of ['run', 'check', 'validate', 'drain', 'help']) {
    const { code, stdout } = await runBerth([command, '--version']);
    assert.equal(code, 0);
    assert.match(stdout, /^berth \d/);
  }
});

test('help config: every key; --man: a page that roff understands', async (t) => {
  assert.match((await runBerth(['help', 'config', 'queue_timeout'])).stdout, /upstreams\.NAME\.pool\.queue_timeout\n.*503/);
  const { stdout } = await runBerth(['help', '--man']);
  const groff = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-z'], { input: stdout, encoding: 'utf8' });
  if (groff.error) return t.skip('groff is not installed');
  assert.deepEqual([groff.status, groff.stderr], [0, '']);
});

// What a shell offers for a line: words, the last of which is being written.
function bashOffers(script, words) {
  const line = words.map((word) => `'${word}'`).join(' ');
  const { stdout } = spawnSync('bash', ['-c', `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _berth; printf '%s\\n' "\${COMPREPLY[@]}"`], { encoding: 'utf8' });
  return stdout.split('\n').filter(Boolean).sort();
}
function fishOffers(script, words) {
  const { stdout } = spawnSync('fish', ['--no-config', '-c', `${script}\ncomplete -C '${words.join(' ')}'`], { encoding: 'utf8' });
  return stdout.split('\n').filter(Boolean).map((line) => line.split('\t')[0]).sort();
}
for (const [shell, offers] of [['bash', bashOffers], ['fish', fishOffers]]) {
  test(`completion in ${shell}`, async (t) => {
    if (spawnSync(shell, ['-c', 'true']).error) return t.skip(`${shell} is not installed`);
    const { code, stdout: script } = await runBerth(['completion', shell]);
    assert.equal(code, 0);
    assert.deepEqual(offers(script, ['berth', 'ru']), ['run']);
    assert.deepEqual(offers(script, ['berth', 'run', '--access-log', '']), ['combined', 'json', 'off']);
    assert.deepEqual(offers(script, ['berth', 'validate', '--pr']), ['--print']);
    assert.deepEqual(offers(script, ['berth', 'help', 'conf']), ['config']);
    assert.deepEqual(offers(script, ['berth', 'help', 'config', 'pool.rest']), ['pool.rest_timeout']);
  });
}
test('completion in zsh', async (t) => {
  if (spawnSync('zsh', ['-c', 'true']).error) return t.skip('zsh is not installed');
  const { stdout: script } = await runBerth(['completion', 'zsh']);
  const load = `autoload -U compinit; compinit -u -D\n${script}\necho "$_comps[berth]"`;
  assert.equal(spawnSync('zsh', ['-fc', load], { encoding: 'utf8' }).stdout, '_berth\n');
});

for (const [args, says] of [
  [[], /Usage/],
  [['runn'], /unknown command 'runn'.*did you mean run/],
  [['run', '--form', ':0'], /unknown option '--form'.*did you mean --from/],
  [['run'], /nothing to run/],
  [['run', '--from'], /--from needs a value/],
  [['run', '-c', 'a.yaml', '--from', ':0'], /cannot be mixed/],
  [['run', '--from', '127.0.0.1:notaport', '--to', '127.0.0.1:1'], /notaport/],
  [['check'], /no file to check/],
  [['run', '-c', '/does/not/exist.yaml'], /\/does\/not\/exist\.yaml.*No such file/s],
  [['check', '-c', '/does/not/exist.yaml'], /\/does\/not\/exist\.yaml.*No such file/s],
]) {
  test(`berth ${args.join(' ')}: exit 2, and a word about it`, async () => {
    const { code, stdout, stderr } = await runBerth(args);
    assert.equal(code, 2);
    assert.match(stderr, says);
    assert.equal(stdout, '');
  });
}

scenario('check: every error with file, line and column, exit 2', async (s) => {
  const file = fileWith(s, [
    'listners:',
    '  - address: 127.0.0.1:0',
    'upstreams:',
    '  app:',
    '    servers: [127.0.0.1:3000]',
    '    pool:',
    '      max_conections: 5',
    '      queue_timeout: 5',
    'routes:',
    '  - {path: /, upstream: ap}',
    '',
  ].join('\n'));
  const { code, stderr } = await runBerth(['check', '-c', file]);
  assert.equal(code, 2);
  for (const [place, says] of [['1:1', 'listeners'], ['7:7', 'max_connections'], ['8:22', 'queue_timeout'], ['10:25', 'app']]) {
    const line = stderr.split('\n').find((one) => one.startsWith(`${file}:${place}: error: `));
    assert.ok(line?.includes(says), `${place}: ${stderr}`);
  }
  assert.match(stderr, /\d errors/);
});

scenario('check --print: what is in effect, which is itself a right file', async (s) => {
  const file = fileWith(s, JSON.stringify(config('127.0.0.1:3000')));
  const { code, stdout } = await runBerth(['check', '-c', file, '--print']);
  assert.equal(code, 0);
  assert.match(stdout, /max_connections: 128/);
  const again = await runBerth(['check', '-c', fileWith(s, stdout), '--print']);
  assert.equal(again.code, 0);
  assert.equal(again.stdout, stdout);
});

scenario('conf/berth.yaml and every example are right', async (s) => {
  const folder = s.folder();
  cpSync(path.join(ROOT, 'conf'), folder, { recursive: true });
  const examples = path.join(folder, 'examples');
  const files = [path.join(folder, 'berth.yaml'), ...readdirSync(examples).map((name) => path.join(examples, name))];
  assert.ok(files.length >= 2);
  // The certificates that an example names, beside it.
  const pair = new Authority(s.folder()).issue('example.com').files;
  for (const file of files) {
    for (const [, kind, name] of readFileSync(file, 'utf8').matchAll(/^[ -]*(certificate|key): (\S+\.\w+)$/gm)) {
      copyFileSync(pair[kind], path.join(examples, name));
    }
  }
  for (const file of files) {
    const { code, stderr } = await runBerth(['check', '-c', file]);
    assert.equal(code, 0, `${file}: ${stderr}`);
  }
});

scenario('run without a file', async (s) => {
  const one = await s.origin((request, response) => response.end('one')), two = await s.origin((request, response) => response.end('two'));
  const berth = await s.berth(undefined, { args: ['run', '--from', '127.0.0.1:0', '--to', one.address, '--to', two.address, '--admin', '127.0.0.1:0'] });
  const bodies = new Set();
  for (let i = 0; i < 20; ++i) bodies.add((await s.request(berth)).body);
  assert.deepEqual([...bodies].sort(), ['one', 'two']);
});

scenario('--to: a port of this machine, a URL', async (s) => {
  const one = await s.origin((request, response) => response.end('one'));
  const port = one.address.split(':').pop();
  for (const to of [`:${port}`, `http://127.0.0.1:${port}`, `127.0.0.1:${port}-${port}`]) {
    const berth = await s.berth(undefined, { args: ['run', '--from', '127.0.0.1:0', '--to', to, '--admin', '127.0.0.1:0'] });
    assert.equal((await s.request(berth)).body, 'one', to);
  }
});

scenario('berth run FILE', async (s) => {
  const file = fileWith(s, JSON.stringify(config(await s.origin((request, response) => response.end('one')))));
  const berth = await s.berth(undefined, { args: ['run', file] });
  assert.equal((await s.request(berth)).body, 'one');
});

scenario('healthcheck: 0 while it is well, 1 when nobody answers', async (s) => {
  const berth = await s.front(await s.origin());
  const { host, port } = berth.adminAddress;
  assert.equal((await runBerth(['healthcheck', '--admin', `${host}:${port}`])).code, 0);
  s.agent.destroy();
  await berth.stop();
  const { code, stderr } = await runBerth(['healthcheck', '--admin', `${host}:${port}`]);
  assert.equal(code, 1);
  assert.notEqual(stderr, '');
});

scenario('a port that is taken: a clear error, exit 1', async (s) => {
  const taken = net.createServer();
  await new Promise((resolve) => taken.listen(0, '127.0.0.1', resolve));
  s.behind(taken);
  const address = `127.0.0.1:${taken.address().port}`;
  for (const settings of [config('127.0.0.1:3000', { listener: { address } }), { ...config('127.0.0.1:3000'), admin: { address } }]) {
    const { code, stderr } = await runBerth(['run', '-c', fileWith(s, JSON.stringify(settings))]);
    assert.equal(code, 1);
    assert.ok(stderr.includes(address), stderr);
    assert.match(stderr, /in use/);
  }
});

scenario('a port that another Berth has: an error too, though both would share it', async (s) => {
  const first = await s.front(await s.origin());
  const { host, port } = first.address;
  const { code, stderr } = await runBerth(['run', '--from', `${host}:${port}`, '--to', '127.0.0.1:3000', '--admin', '127.0.0.1:0']);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /in use/);
});

scenario('an address that this machine does not have; a log that cannot be written', async (s) => {
  const elsewhere = await runBerth(['run', '--from', '192.0.2.1:0', '--to', '127.0.0.1:3000', '--admin', '127.0.0.1:0']);
  assert.equal(elsewhere.code, 1);
  assert.match(elsewhere.stderr, /192\.0\.2\.1/);
  const log = { ...config('127.0.0.1:3000'), access_log: { path: '/does/not/exist/access.log' } };
  const { code, stderr } = await runBerth(['run', '-c', fileWith(s, JSON.stringify(log))]);
  assert.equal(code, 1);
  assert.match(stderr, /\/does\/not\/exist\/access\.log/);
});

scenario('a Unix socket that a dead process left behind is taken over; a living one is not', async (s) => {
  const origin = await s.origin();
  const socket = `unix:${path.join(s.folder(), 'front.sock')}`;
  const dead = await Berth.start(config(origin, { listener: { address: socket } }));
  dead.kill('SIGKILL');
  await dead.exited;
  assert.ok(existsSync(socket.slice(5)));
  dead.dispose();
  const berth = await s.front(origin, { listener: { address: socket } });
  assert.equal((await s.request(berth)).status, 200);
  const second = await runBerth(['run', '--from', socket, '--to', origin.address, '--admin', '127.0.0.1:0']);
  assert.equal(second.code, 1);
  assert.equal((await s.request(berth)).status, 200);
  s.agent.destroy();
  await berth.stop();
  assert.equal(existsSync(socket.slice(5)), false, 'its file goes with it');
});

scenario('a wrong file does not start: exit 2 and the same errors as check', async (s) => {
  const file = fileWith(s, 'listeners: [{address: 127.0.0.1:0, keepalive_timeout: 75}]\nupstreams: {app: {servers: [127.0.0.1:1]}}\n');
  const run = await runBerth(['run', '-c', file]), check = await runBerth(['check', '-c', file]);
  assert.deepEqual([run.code, check.code], [2, 2]);
  const errors = ({ stderr }) => stderr.split('\n').filter((line) => line.includes(': error: '));
  assert.deepEqual(errors(run), errors(check));
});

test('the README\'s first command works as it is written', () => {
  assert.match(readFileSync(path.join(ROOT, 'README.md'), 'utf8'), /berth run --from :8080 --to 127\.0\.0\.1:3000/);
});
