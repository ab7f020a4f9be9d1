import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Command } from 'commander';
import { registerPluginsCommands } from '#core/cli/plugins-commands.ts';
import { createDeathStore } from '#core/plugin-host/deaths.ts';
import { createFolder, writePlugin } from '../plugin-host/plugin-project.ts';

interface Project {
  readonly folder: string;
  /** Runs `returnit plugins …` and returns what it prints. */
  readonly run: (...args: readonly string[]) => Promise<string>;
}

async function createProject(t: TestContext): Promise<Project> {
  const folder = await createFolder(t);
  await mkdir(join(folder, 'plugins'));
  await writePlugin(join(folder, 'plugins'), {
    name: 'payments',
    description: 'Charges cards',
    permissions: { net: { hosts: ['api.stripe.com:443'], why: 'charge cards' }, events: { publish: ['payment.*'] } },
    metrics: { returnit_payments_total: { type: 'counter', help: 'Payments', labels: ['outcome'] } },
    limits: { heapMiB: 64 },
  });
  await writePlugin(join(folder, 'plugins'), { name: 'idle' });
  const config = {
    dataDir: join(folder, 'data'),
    pluginPaths: [],
    auditFileMaxBytes: 1_000_000,
    environment: 'development',
  };
  return {
    folder,
    async run(...args) {
      let printed = '';
      const stdout = { write: (text: string) => (printed += text) };
      const program = new Command().exitOverride();
      registerPluginsCommands(program, { config, projectDir: folder, stdout, now: () => 0, operator: 'kim' });
      await program.parseAsync(['plugins', ...args], { from: 'user' });
      return printed;
    },
  };
}

describe('returnit plugins list', () => {
  it('shows version, lock and grants', async (t) => {
    const { run } = await createProject(t);
    assert.equal(
      await run('list'),
      `NAME      VERSION  SOURCE   LOCK        GRANTS     DESCRIPTION
idle      1.0.0    project  not-locked  complete
payments  1.0.0    project  not-locked  2 missing  Charges cards
`,
    );
    const [idle] = JSON.parse(await run('list', '--json')) as { name: string; lock: string }[];
    assert.deepEqual([idle?.name, idle?.lock], ['idle', 'not-locked']);
  });
});

describe('returnit plugins permissions', () => {
  it('shows what is requested, granted and denied, and how to grant the rest', async (t) => {
    const { run } = await createProject(t);
    assert.equal(
      await run('permissions', 'payments'),
      `PERMISSION  REQUESTED           GRANTED  DENIED BY  WHY
events      publish payment.*   missing  -          -
net         api.stripe.com:443  missing  -          charge cards

To grant what is missing:
  npx returnit plugins grant payments --allow-events='publish payment.*' --allow-net=api.stripe.com:443
`,
    );
    await run('grant', 'payments', '--allow-events=publish payment.made', '--deny-net');
    assert.equal(
      await run('permissions', 'payments'),
      `PERMISSION  REQUESTED           GRANTED                     DENIED BY                           WHY
events      publish payment.*   publish payment.made alone  -                                   -
net         api.stripe.com:443  denied                      grants.json payments.deny.net true  charge cards
`,
    );
    assert.equal(await run('permissions', 'idle'), 'It asks for nothing\n');
  });

  it('prints a command that works for a plugin from outside the project', async (t) => {
    const { folder, run } = await createProject(t);
    const outside = join(folder, 'outside');
    await mkdir(outside);
    await writePlugin(outside, { name: 'parcels', permissions: { jobs: { queues: ['label'] } } });
    const shown = await run('permissions', 'parcels', '--plugin-path', outside);
    const command = `npx returnit plugins grant parcels --allow-jobs=label --plugin-path ${outside}/parcels`;
    assert.equal(shown.split('\n').at(-2), `  ${command}`);
    await run(...command.split(' ').slice(3));
    assert.match(await run('permissions', 'parcels', '--plugin-path', outside), /label +granted/);
  });

  it('says which plugins there are', async (t) => {
    const { run } = await createProject(t);
    await assert.rejects(run('permissions', 'payment'), {
      code: 'PLUGIN_UNKNOWN',
      message: 'Cannot find the plugin "payment": there are idle, payments. Did you mean "payments"?',
    });
  });
});

describe('returnit plugins grant', () => {
  it('writes grants.json and the audit', async (t) => {
    const { folder, run } = await createProject(t);
    assert.equal(
      await run(
        'grant',
        'payments',
        '--allow-net=api.stripe.com:443',
        '--deny-env=SECRET',
        '--reason',
        'card payments',
      ),
      `Granted payments net access to "api.stripe.com:443"
Denied payments env access to "SECRET"
It holds from the next start
`,
    );
    assert.deepEqual(JSON.parse(await readFile(join(folder, 'plugins/grants.json'), 'utf8')), {
      $schema: '../core/plugin-host/grants.schema.json',
      grants: {
        payments: {
          net: ['api.stripe.com:443'],
          deny: { env: ['SECRET'] },
          grantedBy: 'kim',
          at: '1970-01-01T00:00:00.000Z',
          reason: 'card payments',
        },
      },
    });
    assert.equal(
      await run('audit'),
      `TIME                      PLUGIN          DECISION  PERMISSION  RESOURCE            RULE                         TRACE
1970-01-01T00:00:00.000Z  payments@1.0.0  grant     net         api.stripe.com:443  kim: returnit plugins grant  -
1970-01-01T00:00:00.000Z  payments@1.0.0  revoke    env         SECRET              kim: returnit plugins grant  -
`,
    );
    assert.equal(await run('audit', '--verify'), '2 records, the chain is whole\n');
    assert.deepEqual(JSON.parse(await run('audit', '--plugin', 'idle', '--json')), []);
  });

  it('grants all that is requested', async (t) => {
    const { run } = await createProject(t);
    await run('grant', 'payments', '--all-requested');
    assert.match(await run('list'), /payments .* complete/);
    await assert.rejects(run('grant', 'idle', '--all-requested'), {
      message: 'Cannot grant idle what it asks for: it asks for nothing',
    });
  });

  it('warns of a grant without effect, and of one that a denial still covers', async (t) => {
    const { run } = await createProject(t);
    assert.match(
      await run('grant', 'payments', '--allow-net=evil.example:443'),
      /Warning: grants\.json payments\.net evil\.example:443 has no effect: payments@1\.0\.0 does not ask for it in plugin\.json\n/,
    );
    await run('grant', 'payments', '--deny-net=*.stripe.com:443');
    assert.match(
      await run('grant', 'payments', '--allow-net=api.stripe.com:443'),
      /Warning: net access to "api\.stripe\.com:443" is still denied, by grants\.json payments\.deny\.net \*\.stripe\.com:443\n/,
    );
  });

  it('refuses to do nothing', async (t) => {
    const { run } = await createProject(t);
    await assert.rejects(run('grant', 'payments'), {
      code: 'INVALID_GRANTS',
      message:
        'Cannot change the grants of payments: no permission is named. Use --allow-net=…, --deny-net=… and the like, or --all-requested',
    });
  });
});

describe('returnit plugins lock and inspect', () => {
  it('lock accepts the present state and prints the difference', async (t) => {
    const { folder, run } = await createProject(t);
    assert.equal(
      await run('lock'),
      `idle@1.0.0
  new
payments@1.0.0
  new
  + events publish payment.*
  + net api.stripe.com:443
`,
    );
    assert.match(await run('list'), /payments {2}1\.0\.0 {4}project {2}locked/);
    await writePlugin(join(folder, 'plugins'), {
      name: 'payments',
      version: '1.1.0',
      permissions: { events: { publish: ['*'] } },
    });
    assert.match(await run('list'), /asks-for-more/);
    assert.match(
      await run('inspect', 'payments'),
      /lock {9}version 1\.0\.0, other files, requests \+ events publish \*, - net api\.stripe\.com:443\n/,
    );
    assert.equal(
      await run('lock', 'payments'),
      `payments@1.1.0
  files changed since version 1.0.0
  + events publish *
  - net api.stripe.com:443
`,
    );
  });

  it('inspect shows requests, metrics and limits', async (t) => {
    const { run } = await createProject(t);
    const text = await run('inspect', 'payments');
    assert.match(text, /^name {9}payments@1\.0\.0\ndescription {2}Charges cards\n/);
    assert.match(text, /limits {7}heapMiB 64\n/);
    assert.match(text, /net {7}api\.stripe\.com:443 {2}charge cards\n/);
    assert.match(text, /returnit_payments_total {2}counter {2}outcome {2}Payments\n/);
    const json = JSON.parse(await run('inspect', 'payments', '--json')) as { limits: object };
    assert.deepEqual(json.limits, { heapMiB: 64 });
  });
});

describe('returnit plugins deaths', () => {
  it('shows why its processes ended', async (t) => {
    const { folder, run } = await createProject(t);
    assert.equal(await run('deaths', 'payments'), 'payments has not died\n');
    await createDeathStore({ dataDir: join(folder, 'data'), keptMax: 20 }).record({
      plugin: { name: 'payments', version: '1.0.0' },
      reason: 'loop',
      message: 'It did not return to its event loop for 3 s\n  at pay',
      at: '2026-11-22T20:00:00.000Z',
      uptimeMs: 1,
      wasReady: true,
      exitCode: null,
      signal: 'SIGKILL',
      callsInFlight: { toCore: 0, toPlugin: 0 },
      traceIds: [],
      sample: { rssBytes: 0, cpuSeconds: 0, heapUsedBytes: 0, heapLimitBytes: 0, loopDelaySeconds: 0, utilization: 1 },
      profile: null,
    });
    assert.equal(
      await run('deaths', 'payments'),
      `TIME                      VERSION  REASON  WHAT                                         PROFILE
2026-11-22T20:00:00.000Z  1.0.0    loop    It did not return to its event loop for 3 s  -
`,
    );
  });
});
