import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as wait } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { commandOf, familyOf, isPostgres, isRunning, send } from './process-family.ts';
import { projectDir } from './project-copy.ts';
import { until } from './until.ts';

const startMaxMs = 400_000;
const lookAgainMs = 200;
const timeout = 600_000;

/** All that these tests have started, so that a failed one leaves nothing either. */
const seen = new Set<number>();
after(() => {
  for (const pid of seen) if (isRunning(pid)) send(pid, isPostgres(pid) ? 'SIGQUIT' : 'SIGKILL');
});

function start(...args: readonly string[]): ChildProcess {
  // As if this were no test: a runner of tests does nothing within another.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'], cwd: projectDir, env });
  seen.add(child.pid ?? 0);
  return child;
}

/** Itself and what it has started, when all of this is there. */
async function familyWith(child: ChildProcess, wanted: readonly ((pid: number) => boolean)[]): Promise<number[]> {
  return until(
    'it has started what it needs',
    async () => {
      assert.equal(child.exitCode, null, 'it has ended by itself');
      const family = familyOf(child.pid ?? 0);
      for (const pid of family) seen.add(pid);
      return wanted.every((isIt) => family.some(isIt)) ? family : wait(lookAgainMs, false);
    },
    startMaxMs,
  );
}

const isPlugin = (pid: number): boolean => commandOf(pid).includes('--permission');
const runs =
  (file: string) =>
  (pid: number): boolean =>
    commandOf(pid).some((argument) => argument.endsWith(file));

describe('endStartedAtExit()', { timeout }, () => {
  let folder: string;
  /** What the processes noted about how they ended. */
  const noted = (): readonly string[] => readFileSync(join(folder, 'noted'), 'utf8').split('\n').filter(Boolean).sort();
  const write = (file: string, text: string): void => writeFileSync(join(folder, file), text);

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'returnit-ended-'));
    mkdirSync(join(folder, 'core'));
    const note = `import { appendFileSync } from 'node:fs';
      const note = (text) => appendFileSync(${JSON.stringify(join(folder, 'noted'))}, text + '\\n');
      setInterval(() => {}, 1000);`;
    write(
      'core/main.ts',
      `${note} process.on('SIGTERM', () => setTimeout(() => { note('core has stopped'); process.exit(); }, 300));
      note('core is ready');`,
    );
    write(
      'database.mjs',
      `${note} process.title = 'postgres'; process.on('SIGQUIT', () => { note('postgres has stopped'); process.exit(); });`,
    );
    write('stubborn.mjs', `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);`);
    write(
      'load.mjs',
      `import { fork } from 'node:child_process'; fork(${JSON.stringify(join(folder, 'stubborn.mjs'))});`,
    );
    const module = pathToFileURL(join(projectDir, 'tests/support/end-started.ts')).href;
    write(
      'bench.mjs',
      `import { fork } from 'node:child_process'; import { endStartedAtExit } from ${JSON.stringify(module)};
      endStartedAtExit();
      const start = (file) => fork(${JSON.stringify(folder)} + '/' + file);
      // One that is gone is started again, as a bench goes on with its next round.
      const keep = (file) => start(file).once('exit', () => keep(file));
      for (const file of ['core/main.ts', 'database.mjs', 'load.mjs']) keep(file);
      process.stdin.once('data', () => { throw new Error('it has failed'); });`,
    );
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const ways: readonly (readonly [string, (bench: ChildProcess) => void, number])[] = [
    ['SIGTERM', (bench) => bench.kill('SIGTERM'), 143],
    ['SIGINT', (bench) => bench.kill('SIGINT'), 130],
    // As npm does beside a terminal: the second comes while it waits for the core.
    ['SIGTERM twice', (bench) => bench.kill('SIGTERM') && setTimeout(() => bench.kill('SIGTERM'), 100), 143],
    ['an error', (bench) => bench.stdin?.write('fail'), 1],
  ];
  for (const [name, endIt, code] of ways) {
    it(`by ${name} stops cores, quits Postgres, kills the others, and nothing is left or started anew`, async () => {
      write('noted', '');
      const bench = start(join(folder, 'bench.mjs'));
      const isReady = (): boolean => noted().length > 0;
      const family = await familyWith(bench, [isReady, isPostgres, runs('stubborn.mjs')]);
      const exited = once(bench, 'exit');
      endIt(bench);
      assert.deepEqual(await exited, [code, null]);
      assert.deepEqual(family.filter(isRunning), []);
      assert.equal(family.length, 5);
      assert.deepEqual(noted(), ['core has stopped', 'core is ready', 'postgres has stopped']);
    });
  }
});

const programs: readonly (readonly [string, readonly string[]])[] = [
  ['a bench', ['tests/bench/main.ts', 'start']],
  ['a run of the tests', ['tests/run.ts', 'tests/support/fixtures/starts-core.test.ts']],
];
for (const [name, args] of programs) {
  describe(`${name} that is ended by a signal`, { timeout }, () => {
    it('leaves neither the core, nor its Postgres, nor a plugin', { timeout }, async () => {
      const program = start(...args);
      const family = await familyWith(program, [runs('core/main.ts'), isPostgres, isPlugin]);
      const exited = once(program, 'exit');
      program.kill('SIGTERM');
      assert.deepEqual(await exited, [143, null]);
      assert.deepEqual(family.filter(isRunning), []);
    });
  });
}
