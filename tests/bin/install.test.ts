import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { projectDir } from '../support/project-copy.ts';
import { until } from '../support/until.ts';

/** Waits until it is let go on, then installs a Node that is this one. */
const fakeNpm = `#!/bin/sh
echo "$$ $*" >> calls
while [ ! -e go ]; do sleep 0.02; done
[ -e fail ] && { echo 'npm error ENOTFOUND' >&2; exit 7; }
mkdir -p node_modules/node/bin
ln -s '${process.execPath}' node_modules/node/bin/node
cp installed.json node_modules/.package-lock.json
`;
const packages = JSON.stringify({ packages: { 'node_modules/node': { version: '26.10.0' } } });
/** Of Debian's "nobody": root may write everywhere. */
const nobody = 65_534;

interface Launch {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly stdout: () => string;
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

describe('the launcher', () => {
  let root: string;
  const launches: Launch[] = [];

  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'returnit-launcher-'));
    await cp(path.join(projectDir, 'bin'), path.join(root, 'bin'), { recursive: true });
    await mkdir(path.join(root, 'programs'));
    await writeFile(path.join(root, 'programs/npm'), fakeNpm, { mode: 0o755 });
    for (const name of ['package-lock.json', 'installed.json']) await writeFile(path.join(root, name), packages);
    await writeFile(path.join(root, 'hello.mjs'), `console.log('hello from', process.argv[2]);`);
  });
  afterEach(async () => {
    for (const { child, ended } of launches.splice(0)) {
      child.kill('SIGKILL');
      await ended;
    }
    await rm(root, { recursive: true, force: true });
  });

  function launch(name: string, account: { readonly uid?: number } = {}): Launch {
    const child = spawn(process.execPath, [path.join(root, 'bin/run.mjs'), path.join(root, 'hello.mjs'), name], {
      env: { PATH: `${path.join(root, 'programs')}:/usr/bin:/bin` },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...account,
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (output.stdout += String(chunk)));
    child.stderr.on('data', (chunk: Buffer) => (output.stderr += String(chunk)));
    const ended = once(child, 'close').then(
      ([code, signal]) => (code as number | null) ?? (signal as NodeJS.Signals | null),
    );
    const launched = { child, stdout: () => output.stdout, stderr: () => output.stderr, ended };
    launches.push(launched);
    return launched;
  }
  const signalTo = (name: string): Promise<void> => writeFile(path.join(root, name), '');
  const calls = async (): Promise<string[]> =>
    (await readFile(path.join(root, 'calls'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  /** The id of its process. */
  const npmCalled = (): Promise<number> =>
    until('npm is called', async () => Number((await calls())[0]?.split(' ', 1)[0] ?? 0) || undefined);
  const locks = async (): Promise<string[]> => (await readdir(root)).filter((name) => name.startsWith('.install-lock'));

  it('installs once for two that start at the same moment', async () => {
    const pair = [launch('one'), launch('two')];
    const waiting = await until('one waits for the other', () =>
      pair.find(({ stderr }) => /^Waiting for process \d+, which installs what is missing …\n$/.test(stderr())),
    );
    const holder = pair.find((launched) => launched !== waiting);
    assert.equal(holder?.stderr(), 'Installing what is missing (once, about a minute) …\n');
    assert.ok(waiting.stderr().includes(` ${holder.child.pid},`));
    await signalTo('go');
    assert.deepEqual(await Promise.all(pair.map(({ ended }) => ended)), [0, 0]);
    assert.deepEqual(
      pair.map(({ stdout }) => stdout()),
      ['hello from one\n', 'hello from two\n'],
    );
    assert.equal((await calls()).length, 1);
    assert.deepEqual(await locks(), []);
  });

  it('installs nothing when all is there', async () => {
    await signalTo('go');
    assert.equal(await launch('first').ended, 0);
    const second = launch('second');
    assert.deepEqual([await second.ended, second.stderr()], [0, '']);
    assert.equal((await calls()).length, 1);
  });

  it('takes the lock over from one that was killed', async () => {
    const killed = launch('killed');
    const npmPid = await npmCalled();
    killed.child.kill('SIGKILL');
    // Else it would go on alone, and keep the pipe open.
    process.kill(npmPid, 'SIGKILL');
    await killed.ended;
    assert.deepEqual(await locks(), ['.install-lock']);
    await signalTo('go');
    assert.equal(await launch('next').ended, 0);
    assert.deepEqual(await locks(), []);
  });

  it('ends npm with itself, and gives the lock back', async () => {
    const stopped = launch('stopped');
    const npmPid = await npmCalled();
    stopped.child.kill('SIGTERM');
    assert.equal(await stopped.ended, 1);
    assert.match(stopped.stderr(), /\nCannot install the dependencies: "npm ci" ended with SIGTERM\n$/);
    assert.ok(!existsSync(`/proc/${npmPid}`));
    assert.deepEqual(await locks(), []);
  });

  it('says what npm ended with', async () => {
    await Promise.all([signalTo('go'), signalTo('fail')]);
    const failed = launch('failed');
    assert.equal(await failed.ended, 1);
    assert.match(failed.stderr(), /\nnpm error ENOTFOUND\nCannot install the dependencies: "npm ci" ended with 7\n$/);
    assert.deepEqual(await locks(), []);
  });

  it('names the folder that it may not write', async () => {
    await signalTo('go');
    const modules = path.join(root, 'node_modules');
    await mkdir(modules);
    await chmod(modules, 0o555);
    await chmod(root, 0o777);
    const refused = launch('refused', process.getuid?.() === 0 ? { uid: nobody } : {});
    assert.equal(await refused.ended, 1);
    assert.equal(
      refused.stderr(),
      `Cannot install the dependencies: ${modules} cannot be written (EACCES); run "npm ci" there as its owner, or make it writable\n`,
    );
    assert.deepEqual(await calls(), []);
  });
});
