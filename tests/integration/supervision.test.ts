import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pace } from 'node:timers/promises';
import type { Api, Problem } from '../support/api-client.ts';
import { runCli } from '../support/cli.ts';
import { book, connectDevice, placeOf, type Device } from '../support/journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

interface Handled {
  readonly kind: string;
  readonly id: string;
  readonly attempts: number;
  readonly done: boolean;
}

interface DeathRecord {
  readonly reason: string;
  readonly message: string;
  readonly profile: string | null;
}

/** The others' traffic is steady, not as much as the machine can take. */
const bystanderPaceMs = 20;

/** Each way to die, and the reason that must be told. Buffers can end in either of two limits. */
const deaths = [
  { way: 'crash', reasons: ['crash'] },
  { way: 'reject', reasons: ['crash'] },
  { way: 'exit', reasons: ['exit'] },
  { way: 'loop', reasons: ['loop'] },
  { way: 'heap', reasons: ['oom-heap', 'oom-fatal'] },
  { way: 'buffers', reasons: ['rss'] },
  { way: 'protocol', reasons: ['protocol'] },
] as const;

describe('a plugin that dies', () => {
  let platform: TestPlatform;
  let ops: Api;
  let customer: Api;
  let device: Device;

  before(async () => {
    platform = await startPlatform({
      fixtures: ['faulty'],
      config: {
        pluginHeartbeatMs: 200,
        pluginProfileMs: 200,
        // No call ends by its deadline before the death that it waits for.
        pluginCallTimeoutMs: 60_000,
        httpRequestTimeoutMs: 60_000,
        // It doubles with each death, and there are many.
        pluginRestartDelayMs: 2,
        // The tests of each way kill it more often than would be borne.
        pluginQuarantineDeaths: 100,
        jobRetryDelayMs: 1000,
        jobPollMs: 500,
        mqttRetryDelayMs: 50,
      },
    });
    ops = await platform.as('ops', 'operator');
    customer = await platform.as('customer', 'bystander');
    const credentials = await ops.ok<{ username: string; password: string }>('POST', '/faulty/device');
    device = await connectDevice(platform.app.addresses.mqtt, { driverId: 'none', ...credentials });
  });
  after(async () => {
    await device?.close();
    await platform?.stop();
  });

  const recorded = async (): Promise<DeathRecord[]> => {
    const { code, stdout, stderr } = await runCli(['plugins', 'deaths', 'faulty', '--json'], {
      DATA_DIR: platform.dataDir,
    });
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as DeathRecord[];
  };
  const restarts = async (reasons: readonly string[]): Promise<number> => {
    let sum = 0;
    for (const reason of reasons) {
      sum += await platform.sample('returnit_plugin_restarts_total', { plugin: 'faulty', reason });
    }
    return sum;
  };
  const done = (kind: string, id: string): Promise<Handled> =>
    until(`${kind} ${id} is done`, async () => {
      const { status, body } = await ops.request<{ handled: Handled[] }>('GET', '/faulty/handled');
      // While the plugin restarts this, too, is refused.
      return status === 200 ? body.handled.find((row) => row.kind === kind && row.id === id && row.done) : undefined;
    });

  for (const { way, reasons } of deaths) {
    it(`by ${way}: others answer, what is in flight gets 503, its reason is told, and it comes back`, async () => {
      await platform.reached('faulty', 'ready');
      const before = await restarts(reasons);
      const deathsBefore = platform.deathsOf('faulty');
      const bystanders: number[] = [];
      const stop = new AbortController();
      const traffic = (async () => {
        while (!stop.signal.aborted) {
          bystanders.push((await customer.request('GET', '/orders')).status);
          await pace(bystanderPaceMs);
        }
      })();
      const inFlight = ops.request('GET', '/faulty/wait');
      await ops.request('POST', '/faulty/die', { body: { id: 'x', way } }).then(assertUnavailable);
      assertUnavailable(await inFlight);
      // A call fails with the process; what it died of is known a moment later.
      await platform.died('faulty', deathsBefore + 1);
      await platform.reached('faulty', 'ready');
      stop.abort();
      await traffic;

      assert.ok(bystanders.length > 0);
      assert.deepEqual([...new Set(bystanders)], [200]);
      const last = (await recorded()).at(-1);
      assert.equal((await restarts(reasons)) - before, 1, JSON.stringify(last));
      assert.ok(last !== undefined && (reasons as readonly string[]).includes(last.reason), JSON.stringify(last));
      const line = platform.logs.findLast(({ msg }) => msg.startsWith('plugin faulty died of'));
      assert.deepEqual([line?.['reason'], line?.plugin], [last.reason, 'faulty']);
      if (way === 'loop') await assertProfile(last.profile);
    });
  }

  for (const [kind, path] of [
    ['job', '/faulty/work'],
    ['event', '/faulty/event'],
  ] as const) {
    it(`gets its ${kind} again after the restart`, async () => {
      await platform.reached('faulty', 'ready');
      await ops.ok('POST', path, { id: 'again', way: 'crash' });
      assert.equal((await done(kind, 'again')).attempts, 2);
    });
  }

  it('gets its messages again, and acknowledges them only then', async () => {
    await platform.reached('faulty', 'ready');
    const acknowledged = ['1', '2', '3'].map((id) =>
      device.client.publishAsync('faulty/device/in', JSON.stringify({ id, way: id === '2' ? 'crash' : 'none' }), {
        qos: 1,
      }),
    );
    await Promise.all(acknowledged);
    const { handled } = await ops.ok<{ handled: Handled[] }>('GET', '/faulty/handled');
    const messages = handled.filter(({ kind }) => kind === 'message');
    assert.deepEqual(
      messages.map(({ id, done }) => [id, done]),
      [
        ['1', true],
        ['2', true],
        ['3', true],
      ],
    );
    assert.equal(messages[1]?.attempts, 2);
  });
});

function assertUnavailable({ status, headers, body }: { status: number; headers: Headers; body: Problem }): void {
  assert.deepEqual([status, body.code], [503, 'PLUGIN_UNAVAILABLE']);
  assert.match(headers.get('retry-after') ?? '', /^[1-9]\d*$/);
}

async function assertProfile(path: string | null): Promise<void> {
  assert.ok(path !== null, 'a loop leaves a CPU profile');
  const profile = JSON.parse(await readFile(path, 'utf8')) as {
    nodes: { callFrame: { functionName: string; url: string } }[];
    samples: number[];
  };
  assert.ok(profile.samples.length > 0);
  const frames = profile.nodes.map(({ callFrame }) => `${callFrame.functionName} ${callFrame.url}`);
  assert.ok(
    frames.some((frame) => frame.endsWith('faulty/plugin.ts')),
    frames.join('\n'),
  );
}

describe('a plugin that keeps dying', () => {
  let platform: TestPlatform;

  before(async () => {
    platform = await startPlatform({
      fixtures: ['faulty', 'unbootable'],
      config: { pluginRestartDelayMs: 20, pluginHeartbeatMs: 200 },
    });
  });
  after(() => platform?.stop());

  it('does not keep the platform from starting: the others are ready, it is quarantined', async () => {
    await platform.reached('unbootable', 'quarantined');
    const { status, text } = await platform.ops('/readyz');
    assert.equal(status, 200);
    const { checks } = JSON.parse(text) as {
      checks: { name: string; ready: boolean; state: string; detail?: string }[];
    };
    const states = Object.fromEntries(checks.map(({ name, ready, state }) => [name, `${ready} ${state}`]));
    assert.deepEqual(states, {
      core: 'true running',
      database: 'true connected',
      broker: 'true connected',
      ...Object.fromEntries(
        ['drivers', 'faulty', 'notifications', 'orders', 'payments', 'tracking', 'webhooks'].map((name) => [
          `plugin:${name}`,
          'true ready',
        ]),
      ),
      'plugin:unbootable': 'false quarantined',
    });
    const unbootable = checks.find(({ name }) => name === 'plugin:unbootable');
    assert.match(unbootable?.detail ?? '', /boot-failure: .*the tariff table is missing/);
    assert.equal(
      await platform.sample('returnit_plugin_restarts_total', { plugin: 'unbootable', reason: 'boot-failure' }),
      3,
    );
  });

  it('is quarantined after 3 deaths, answers 503 then, and is released by command', async () => {
    const ops = await platform.as('ops', 'operator');
    for (let death = 1; death <= 3; death += 1) {
      await platform.reached('faulty', 'ready');
      assertUnavailable(await ops.request('POST', '/faulty/die', { body: { id: 'x', way: 'crash' } }));
      await platform.died('faulty', death);
    }
    await platform.reached('faulty', 'quarantined');
    assert.equal(await platform.sample('returnit_plugin_quarantined', { plugin: 'faulty' }), 1);
    assert.equal(await platform.sample('returnit_plugin_state', { plugin: 'faulty', state: 'quarantined' }), 1);
    const quarantined = await ops.request('GET', '/faulty/handled');
    assertUnavailable(quarantined);
    assert.equal(quarantined.headers.get('retry-after'), '60');
    assert.match(quarantined.body.detail ?? '', /is quarantined since it kept failing; an operator must release it$/);
    const customer = await platform.as('customer', 'bystander');
    assert.equal((await book(customer, placeOf(6))).status, 'created');

    const environment = { DATA_DIR: platform.dataDir };
    const unknown = await runCli(['plugins', 'release', 'fawlty'], environment);
    assert.deepEqual([unknown.code, unknown.stdout], [1, '']);
    assert.match(unknown.stderr, /Cannot release "fawlty": there are .*faulty/);
    const healthy = await runCli(['plugins', 'release', 'orders'], environment);
    assert.deepEqual([healthy.code, healthy.stderr], [1, 'Cannot release orders: it is ready, not quarantined\n']);
    const released = await runCli(['plugins', 'release', 'faulty'], environment);
    assert.deepEqual([released.code, released.stdout], [0, 'faulty is ready\n'], released.stderr);
    assert.equal((await ops.request('GET', '/faulty/handled')).status, 200);
    const table = await runCli(['plugins', 'deaths', 'faulty'], environment);
    assert.equal(table.stdout.split('\n').filter((row) => row.includes(' crash ')).length, 3, table.stdout);
  });
});
