/** Starts that cannot be: each ends with exit code 1 and one message that says what is wrong and what would be right. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { killCores, startCore } from '../support/core-process.ts';
import { copyProject, projectDir, type ProjectCopy } from '../support/project-copy.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import { until } from '../support/until.ts';

const anyPort = { HTTP_PORT: '0', MQTT_PORT: '0', OPS_PORT: '0' };

describe('a start that cannot be', () => {
  let dataDir: string;
  let project: ProjectCopy;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'returnit-refusals-'));
    project = await copyProject({ fixtures: ['faulty'], ungranted: ['faulty'], withCore: true });
  });
  after(async () => {
    await killCores();
    await project?.remove();
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = (
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    from = projectDir,
  ): Promise<CliResult> => runCli(['start', ...args], { DATA_DIR: dataDir, ...anyPort, ...environment }, from);

  function assertRefused({ code, stdout, stderr }: CliResult, ...wanted: RegExp[]): void {
    assert.equal(code, 1, stdout + stderr);
    for (const pattern of wanted) assert.match(stderr, pattern);
    assert.doesNotMatch(stderr, /^\s+at |node:internal|AppError|\{"level"/m, 'no stack and no dump');
    assert.doesNotMatch(stdout, /ReturnIt is ready/);
  }

  for (const [name, variable] of [
    ['the API', 'HTTP_PORT'],
    ['the broker', 'MQTT_PORT'],
    ['metrics', 'OPS_PORT'],
  ] as const) {
    it(`names the variable when the port of ${name} is in use`, async () => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      const { port } = other.address() as AddressInfo;
      try {
        assertRefused(await start([], { [variable]: String(port) }), new RegExp(String(port)), new RegExp(variable));
      } finally {
        other.close();
      }
    });
  }

  it('says that the database cannot be reached, without the password', async () => {
    const result = await start([], { DATABASE_URL: 'postgres://me:hunter2-secret@127.0.0.1:1/nothing' });
    assertRefused(result, /Cannot .*DATABASE_URL|Cannot reach/, /127\.0\.0\.1:1/);
    assert.ok(!`${result.stdout}${result.stderr}`.includes('hunter2-secret'));
    const wrong = await start([], { DATABASE_URL: 'mysql://127.0.0.1/db' });
    assertRefused(wrong, /DATABASE_URL must be a URL such as postgres:/);
  });

  it('says that the broker cannot be reached', async () => {
    assertRefused(await start([], { MQTT_URL: 'http://127.0.0.1:1' }), /MQTT_URL must be a URL such as mqtt:/);
  });

  it('lists every setting that is wrong at once', async () => {
    const result = await start([], { DB_POOL_MAX: 'many', LOG_LEVEL: 'loud' });
    assertRefused(result, /DB_POOL_MAX must be a whole number.*"many"/, /LOG_LEVEL must be one of.*"loud"/);
  });

  it('names the file, the place and what would be right of a broken manifest', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'returnit-broken-'));
    await writeFile(join(folder, 'plugin.ts'), 'export const plugin = { setup() {} };\n');
    const write = (text: string): Promise<void> => writeFile(join(folder, 'plugin.json'), text);
    try {
      await write('{ "name": "broken", "version": "1.0.0", "permissions": { "net": { "hosts": "*" } } }');
      const shape = await start(['--plugin-path', folder]);
      assertRefused(shape, new RegExp(join(folder, 'plugin.json')), /permissions\/?\.?net/, /hosts/);
      await write('{ "name": "broken", "version": "1.0.0", }');
      assertRefused(await start(['--plugin-path', folder]), new RegExp(join(folder, 'plugin.json')), /line 1|:1:/);
      await write('{ "name": "orders", "version": "1.0.0", "permissions": {} }');
      assertRefused(await start(['--plugin-path', folder]), /two plugins named "orders"/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('proposes the plugin that was meant', async () => {
    assertRefused(await start(['--plugins', 'orders,paymints']), /"paymints"/, /Did you mean "payments"/);
  });

  it('gives the command that grants what is missing, and starts once it was run', async () => {
    const refused = await start(['--plugins', 'faulty'], {}, project.dir);
    assertRefused(refused, /grants are missing/, /faulty@1\.0\.0 asks for jobs access to "faulty\.work"/);
    const command = /npx returnit (plugins grant faulty --all-requested)/.exec(refused.stderr)?.[1];
    assert.ok(command !== undefined, refused.stderr);
    const granted = await runCli(command.split(' '), { DATA_DIR: dataDir }, project.dir);
    assert.equal(granted.code, 0, granted.stderr);
    const core = await startCore({ dataDir, args: ['--plugins', 'faulty'], projectDir: project.dir });
    assert.match(core.stdout(), /faulty ready/);
    assert.equal(await core.end('SIGTERM'), 0);
    const denied = await startCore({
      dataDir,
      args: ['--plugins', 'faulty', '--deny-jobs=faulty:faulty.work'],
      projectDir: project.dir,
    });
    assert.doesNotMatch(denied.stdout(), /faulty ready/, 'what it may not do, it cannot register');
    assert.equal(await denied.end('SIGTERM'), 0);
    const audit = await runCli(['plugins', 'audit', '--json'], { DATA_DIR: dataDir }, project.dir);
    const records = JSON.parse(audit.stdout) as { decision: string; plugin: string; resource: string; rule: string }[];
    assert.ok(
      records.some(({ decision, resource }) => decision === 'deny' && resource === 'faulty.work'),
      audit.stdout,
    );
    assert.ok(
      records.some(({ decision, plugin }) => decision === 'grant' && plugin === 'faulty'),
      audit.stdout,
    );
  });

  it('starts a plugin from outside the project once it is locked and granted', async () => {
    const outside = join(projectDir, 'tests/fixtures/platform/faulty');
    const other = await copyProject({ withCore: true });
    try {
      const held = await startCore({
        dataDir,
        args: ['--plugins', 'faulty', '--plugin-path', outside],
        projectDir: other.dir,
      });
      assert.match(held.stdout(), /faulty held/);
      assert.match(held.stdout(), /not in plugins\/plugins\.lock/);
      assert.equal(await held.end('SIGTERM'), 0);
      for (const args of [
        ['plugins', 'lock', 'faulty', '--plugin-path', outside],
        ['plugins', 'grant', 'faulty', '--all-requested', '--plugin-path', outside],
      ]) {
        const { code, stderr } = await runCli(args, { DATA_DIR: dataDir }, other.dir);
        assert.equal(code, 0, stderr);
      }
      const core = await startCore({
        dataDir,
        args: ['--plugins', 'faulty', '--plugin-path', outside],
        projectDir: other.dir,
      });
      assert.match(core.stdout(), /faulty ready/);
      assert.equal(await core.end('SIGTERM'), 0);
    } finally {
      await other.remove();
    }
  });
});

const hasScript = existsSync('/usr/bin/script') && spawnSync('script', ['--version']).status === 0;

describe('a start on a terminal', { skip: hasScript ? false : 'script(1) of util-linux is not installed' }, () => {
  it('asks for each missing grant: y for this run, n denies, always is written', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'returnit-terminal-'));
    const project = await copyProject({ fixtures: ['faulty'], ungranted: ['faulty'], withCore: true });
    const command = `exec ${process.execPath} --disable-warning=ExperimentalWarning ${join(project.dir, 'core/main.ts')} start --plugins faulty`;
    const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      cwd: project.dir,
      env: { PATH: process.env['PATH'] ?? '', TERM: 'dumb', DATA_DIR: dataDir, ...anyPort },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += String(chunk)));
    const exited = once(child, 'exit');
    try {
      // The answer to the first is kept for ever.
      const answers = ['always', 'y', 'y', 'y', 'y', 'y', 'y', 'y'];
      for (const [index, answer] of answers.entries()) {
        await until(`question ${index + 1} is asked`, () => {
          assert.equal(child.exitCode, null, output);
          return output.split('Allow? ').length > index + 1 || output.includes('ReturnIt is ready');
        });
        if (output.includes('ReturnIt is ready')) break;
        child.stdin.write(`${answer}\n`);
      }
      await until('it is ready', () => {
        assert.equal(child.exitCode, null, output);
        return output.includes('ReturnIt is ready');
      });
      assert.match(output, /faulty ready/);
      const { grants } = JSON.parse(await readFile(join(project.dir, 'plugins/grants.json'), 'utf8')) as {
        grants: Record<string, Record<string, unknown>>;
      };
      assert.equal(
        Object.values(grants['faulty'] ?? {})
          .filter(Array.isArray)
          .flat().length,
        1,
      );
      // Ctrl-C, as a person ends it.
      child.stdin.write('\x03');
      const [code] = (await exited) as [number];
      assert.equal(code, 0, output);
    } finally {
      if (child.exitCode === null) child.kill('SIGTERM');
      await exited;
      await project.remove();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
