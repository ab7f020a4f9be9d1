/** Levels of the log that ops set at one node of two: they reach both, outlive a restart and end by themselves. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Api } from '../support/api-client.ts';
import { patient } from '../support/patient.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { until } from '../support/until.ts';

interface LogLevels {
  readonly configured: string;
  readonly level: string;
  readonly set: readonly {
    readonly plugin?: string;
    readonly component?: string;
    readonly level: string;
    readonly setBy: object;
    readonly setAt: string;
    readonly until: string;
  }[];
}

const path = '/ops/log-level';

describe('the level of the log', () => {
  let postgres: TestServer;
  let secondDir: string;
  let first: TestPlatform;
  let second: TestPlatform;
  let ops: Api;

  const startSecond = (): Promise<TestPlatform> =>
    startPlatform({ dataDir: secondDir, config: { ...patient, databaseUrl: postgres.url, dbPoolMax: 40 } });

  before(async () => {
    postgres = await startTestServer();
    secondDir = await mkdtemp(join(tmpdir(), 'returnit-level-'));
    const config = { ...patient, databaseUrl: postgres.url, dbPoolMax: 40, logLevelSecondsMax: 7200 };
    first = await startPlatform({ config });
    second = await startSecond();
    ops = await first.as('ops', 'kim');
  });
  after(async () => {
    await second?.stop();
    await first?.stop();
    await postgres?.stop();
    if (secondDir !== undefined) await rm(secondDir, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (const change of [{}, { plugin: 'orders' }, { component: 'jobs' }])
      await ops.ok('PUT', path, { level: null, ...change });
    await until('the other node has heard', async () => (await read(second)).set.length === 0);
  });

  const read = async (node: TestPlatform): Promise<LogLevels> => (await node.as('ops', 'sam')).ok('GET', path);
  /** Lines about requests that went well, which are written from debug on. */
  const linesOf = (node: TestPlatform, plugin: string): number =>
    node.logs.filter((line) => line.msg === 'Request' && line.plugin === plugin).length;
  /** Whether this node writes a line about a request to a plugin now. */
  const writes = async (node: TestPlatform, plugin: 'orders' | 'payments'): Promise<boolean> => {
    const before = linesOf(node, plugin);
    const driver = await node.as('driver', 'd1');
    await driver.request('GET', plugin === 'orders' ? '/orders' : '/payments/payouts?driverId=d1');
    return linesOf(node, plugin) > before;
  };
  const gauge = (node: TestPlatform, plugin: string): Promise<number> => node.sample('returnit_log_level', { plugin });

  it('is that of the configuration until ops set another, for one plugin on every node', async () => {
    assert.deepEqual(await read(first), { configured: 'info', level: 'info', set: [] });
    assert.equal(await writes(first, 'orders'), false);
    const set = await ops.ok<LogLevels>('PUT', path, { plugin: 'orders', level: 'debug', seconds: 600 });
    const { setAt = '', until: ends = '', ...rest } = set.set[0] ?? {};
    assert.deepEqual(rest, { plugin: 'orders', level: 'debug', setBy: { role: 'ops', id: 'kim' } });
    assert.equal(Date.parse(ends) - Date.parse(setAt), 600_000);
    assert.deepEqual([await writes(first, 'orders'), await writes(first, 'payments')], [true, false], 'at once');
    await until('the other node has heard', async () => (await read(second)).set.length === 1);
    assert.deepEqual([await writes(second, 'orders'), await writes(second, 'payments')], [true, false]);
    assert.deepEqual(await read(second), set);
    for (const node of [first, second]) assert.equal(await gauge(node, 'orders'), 20);
    assert.match((await first.ops('/metrics')).text, /^returnit_log_level 30$/m);
  });

  it('outlives a restart of a node until its time is over', async () => {
    await ops.ok('PUT', path, { plugin: 'orders', level: 'debug' });
    const { set } = await read(first);
    assert.equal(Date.parse(set[0]?.until ?? '') - Date.parse(set[0]?.setAt ?? ''), 3_600_000, 'LOG_LEVEL_SECONDS');
    await second.stop();
    second = await startSecond();
    await until('it has read what is set', async () => (await read(second)).set.length === 1);
    assert.equal(await writes(second, 'orders'), true);
  });

  it('falls back by itself, on every node', async () => {
    await ops.ok('PUT', path, { level: 'debug', seconds: 1 });
    assert.equal((await read(first)).level, 'debug');
    for (const node of [first, second]) await until('it is as before', async () => (await read(node)).set.length === 0);
    assert.equal((await read(first)).level, 'info');
    for (const node of [first, second]) assert.equal(await writes(node, 'orders'), false);
  });

  it('is set for each plugin and component by itself, and taken back by null', async () => {
    await ops.ok('PUT', path, { component: 'jobs', level: 'error' });
    await ops.ok('PUT', path, { plugin: 'orders', level: 'debug' });
    await ops.ok('PUT', path, { plugin: 'orders', level: 'trace' });
    const { set } = await ops.ok<LogLevels>('GET', path);
    assert.deepEqual(
      set.map(({ plugin, component, level }) => [plugin ?? component, level]),
      [
        ['jobs', 'error'],
        ['orders', 'trace'],
      ],
    );
    const left = await ops.ok<LogLevels>('PUT', path, { component: 'jobs', level: null });
    assert.deepEqual(
      left.set.map(({ plugin }) => plugin),
      ['orders'],
    );
  });

  it('is refused where it is wrong, with what would be right', async () => {
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{}, /level/],
      [{ level: 'loud' }, /level/],
      [{ level: 'silent' }, /level/],
      [{ level: 'fatal' }, /level/],
      [{ level: 'debug', seconds: 0 }, /seconds/],
      [{ level: 'debug', seconds: 7201 }, /7200/],
      [{ level: 'debug', component: 'kitchen' }, /component/],
      [{ level: 'debug', plugin: 'order' }, /one of core, drivers, .*orders/],
      [{ level: 'debug', plugin: 'orders', component: 'jobs' }, /left out where "plugin" is given/],
      [{ level: null, seconds: 5 }, /left out where "level" is null/],
      [{ level: 'debug', until: 'tomorrow' }, /until/],
    ];
    for (const [change, reason] of wrong) {
      const { status, body } = await ops.request('PUT', path, { body: change });
      const text = JSON.stringify(body);
      assert.deepEqual([status, body.code], [422, 'VALIDATION_FAILED'], text);
      assert.match(text.replaceAll('\\"', '"'), reason);
    }
    assert.deepEqual((await read(first)).set, []);
  });

  it('is for ops alone', async () => {
    for (const role of ['customer', 'driver', 'partner'] as const) {
      const api = await first.as(role, 'x');
      assert.equal((await api.request('GET', path)).status, 403);
      assert.equal((await api.request('PUT', path, { body: { level: 'debug' } })).status, 403);
    }
    assert.equal((await first.anonymous().request('PUT', path, { body: { level: 'debug' } })).status, 401);
  });

  it('leaves a record of each change in the audit', async () => {
    await ops.ok('PUT', path, { plugin: 'orders', level: 'debug', seconds: 60 });
    await ops.ok('PUT', path, { plugin: 'orders', level: null });
    const folder = join(first.dataDir, 'audit');
    const texts = await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file), 'utf8')));
    const records = texts
      .join('')
      .split('\n')
      .filter((line) => line.includes('log-level'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .map(({ decision, permission, resource, rule, trace_id: traceId }) => ({
        decision,
        permission,
        resource,
        rule,
        hasTrace: typeof traceId === 'string',
      }));
    const same = { decision: 'change', permission: 'log-level', rule: 'ops "kim"', hasTrace: true };
    const last = records.findLastIndex(({ resource }) => resource === 'plugin orders: debug for 60 s');
    assert.deepEqual(records.slice(last, last + 2), [
      { ...same, resource: 'plugin orders: debug for 60 s' },
      { ...same, resource: 'plugin orders: as configured' },
    ]);
    assert.ok((await first.sample('returnit_audit_records_total', { decision: 'change' })) >= 2);
    assert.ok(first.logs.some(({ msg }) => msg === 'Changed log-level: plugin orders: debug for 60 s'));
  });
});
