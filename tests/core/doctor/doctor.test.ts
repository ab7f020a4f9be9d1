import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as pg from 'pg';
import { loadConfig } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import { checkBroker } from '#core/doctor/check-broker.ts';
import { checkConfiguration } from '#core/doctor/check-configuration.ts';
import { checkClock, checkConnections } from '#core/doctor/check-database.ts';
import { checkDataFolder } from '#core/doctor/check-data-folder.ts';
import { examine } from '#core/doctor/doctor.ts';
import type { Finding } from '#core/doctor/finding.ts';
import { runCli } from '../../support/cli.ts';
import { freePort } from '../../support/external-postgres.ts';
import { startPlatform, type TestPlatform } from '../../support/platform.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { projectDir } from '../../support/project-copy.ts';
import { createShippedMosquitto, skipWithoutShippedMosquitto } from '../mqtt/mosquitto.ts';

const shown = (findings: readonly Finding[]): readonly string[] =>
  findings.map(({ check, verdict }) => `${check} ${verdict}`);
const find = (findings: readonly Finding[], check: string): Finding => {
  const finding = findings.find((each) => each.check === check);
  assert.ok(finding, `${check} in ${shown(findings).join(', ')}`);
  return finding;
};

describe('checkConfiguration()', () => {
  it('names what looks like a setting and is none, and leaves alone what is somebody else’s', () => {
    assert.deepEqual(
      checkConfiguration(['HTTP_PROT', 'HTTP_PROXY', 'DATABASE_URL', 'PATH', 'HOSTNAME', 'DATBASE_URL']).map(
        ({ verdict, says, todo }) => [verdict, says, todo],
      ),
      [
        ['warning', 'HTTP_PROT is no setting', 'If HTTP_PORT is meant, call it so.'],
        ['warning', 'DATBASE_URL is no setting', 'If DATABASE_URL is meant, call it so.'],
      ],
    );
    assert.match(checkConfiguration(['HTTP_PORT', 'DATA_DIR'])[0]?.says ?? '', /^2 of \d+ settings are set/);
  });
});

describe('checkDataFolder()', () => {
  it('says who can read it, and that one that is missing will be made', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'returnit-doctor-'));
    try {
      chmodSync(folder, 0o755);
      const open = find(await checkDataFolder(folder), 'data folder');
      assert.deepEqual([open.verdict, open.todo], ['warning', `chmod go-rw "${folder}"`]);
      // Postgres' own account passes through it.
      chmodSync(folder, 0o711);
      assert.equal(find(await checkDataFolder(folder), 'data folder').verdict, 'ok');
      for (const [freeShare, verdict] of [
        [0.5, 'ok'],
        [0.09, 'warning'],
        [0.01, 'failed'],
      ] as const) {
        const measure = () => Promise.resolve({ bavail: freeShare * 1000, blocks: 1000, bsize: 2 ** 30 });
        const disk = find(await checkDataFolder(folder, measure), 'disk');
        assert.equal(disk.verdict, verdict);
        assert.equal(disk.todo !== undefined, verdict !== 'ok');
      }
      const missing = await checkDataFolder(join(folder, 'not', 'there'));
      assert.equal(find(missing, 'data folder').verdict, 'ok');
      assert.match(find(missing, 'disk').says, /GiB free, \d+ % of the disk/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('checkClock()', () => {
  /** A database whose clock is so far from ours. */
  const ahead = (ms: number): Pick<pg.Client, 'query'> =>
    ({ query: () => Promise.resolve({ rows: [{ ms: Date.now() + ms }] }) }) as unknown as pg.Client;

  it('says when the clocks of node and database are apart, whichever is ahead', async () => {
    assert.equal((await checkClock(ahead(0))).verdict, 'ok');
    for (const ms of [60_000, -60_000]) {
      const { verdict, says, todo } = await checkClock(ahead(ms));
      assert.equal(verdict, 'warning');
      assert.match(says, /^(59|60)\d{3} ms between this clock and the database's$/);
      assert.match(todo ?? '', /chrony/);
    }
  });
});

describe('checkConnections()', () => {
  /** A server of 100 connections, of which 3 are for superusers. */
  const server = (used: number, nodes: number): Pick<pg.Client, 'query'> =>
    ({
      query: () => Promise.resolve({ rows: [{ max: 100, reserved: 3, used, nodes }] }),
    }) as unknown as pg.Client;

  it('says when most are in use, and when the nodes may want more than there are', async () => {
    const verdictOf = async (used: number, nodes: number, poolMax: number): Promise<string> =>
      (await checkConnections(server(used, nodes), poolMax)).verdict;
    assert.equal(await verdictOf(10, 1, 50), 'ok');
    assert.equal(await verdictOf(77, 1, 50), 'ok', 'not above 80 %');
    assert.equal(await verdictOf(78, 1, 50), 'warning');
    // Each node has two beside its pool.
    assert.equal(await verdictOf(10, 1, 95), 'ok');
    assert.equal(await verdictOf(10, 1, 96), 'failed');
    assert.equal(await verdictOf(10, 2, 50), 'failed');
    assert.match((await checkConnections(server(10, 2), 50)).todo ?? '', /Lower DB_POOL_MAX/);
  });
});

describe('checkBroker()', { skip: skipWithoutShippedMosquitto }, () => {
  it('says whether an external broker lets a node in, and never its password', async () => {
    const mosquitto = await createShippedMosquitto();
    try {
      await mosquitto.start();
      const check = async (url: string): Promise<Finding | undefined> =>
        (await checkBroker({ url, timeoutMs: 5000 }))[0];
      assert.equal((await check(mosquitto.nodeUrl))?.verdict, 'ok');
      const wrong = await check(mosquitto.nodeUrl.replace(/returnit:[^@]+@/, 'returnit:not-this-one@'));
      assert.equal(wrong?.verdict, 'failed');
      assert.doesNotMatch(JSON.stringify(wrong), /not-this-one/);
      const silent = await check(`mqtt://127.0.0.1:${await freePort()}`);
      assert.equal(silent?.verdict, 'failed');
    } finally {
      await mosquitto.stop();
    }
  });
});

describe('examine()', { timeout: 300_000 }, () => {
  let database: TestDatabase;
  let client: pg.Client;
  let platform: TestPlatform;
  let config: Config;
  before(async () => {
    database = await createTestDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    platform = await startPlatform({ config: { databaseUrl: database.url } });
    for (const { name } of platform.app.plugins()) await platform.reached(name, 'ready');
    config = { ...loadConfig({}), databaseUrl: database.url, dataDir: platform.dataDir };
  });
  after(async () => {
    await platform?.stop();
    await client?.end();
    await database?.drop();
  });

  const look = (overrides: Partial<Config> = {}): Promise<readonly Finding[]> =>
    examine({ config: { ...config, ...overrides }, projectDir, variables: [], timeoutMs: 2000 });

  it('finds nothing where all is well, each part of it', async () => {
    const findings = (await look()).filter(({ check }) => check !== 'disk');
    assert.deepEqual(shown(findings), [
      'configuration ok',
      'data folder ok',
      'plugins ok',
      'permissions ok',
      'core ok',
      'database ok',
      'clock ok',
      'connections ok',
      'migrations ok',
      'jobs ok',
      'broker ok',
    ]);
  });

  it('says what a database lacks: connections, migrations, and what waits in it', async () => {
    assert.equal(find(await look({ dbPoolMax: 100_000 }), 'connections').verdict, 'failed');
    await client.query(`delete from returnit.migration where scope = 'payments' and version =
      (select max(version) from returnit.migration where scope = 'payments')`);
    const pending = find(await look(), 'migrations');
    assert.deepEqual([pending.verdict, pending.says], ['warning', 'not applied: 1 of payments']);
    await client.query(
      `insert into returnit.migration (scope, version, name, checksum) values ('core', 9999, 'later', 'x')`,
    );
    assert.equal(find(await look(), 'migrations').says, 'a newer version has been here: core');
    await client.query(`update returnit.migration set checksum = 'x' where scope = 'core' and version = 1`);
    assert.match(find(await look(), 'migrations').says, /it was changed after it was applied/);
  });

  it('goes on where a part is down, and says which', async () => {
    await platform.stop();
    await client.query(
      `select returnit.outbox_add(gen_random_uuid(), 'orders', 'event', 'order.created', '{}', '{}', null, '\\x00')`,
    );
    await client.query(`update returnit.outbox set created_at = now() - interval '10 minutes'`);
    await client.query(`insert into pgboss.job (name, data, state, start_after, started_on, expire_seconds)
      select name, '{}'::jsonb, 'created'::pgboss.job_state, now() - interval '1 hour', null, 60 from pgboss.queue where name = 'payments.authorise'
      union all
      select name, '{}'::jsonb, 'active'::pgboss.job_state, now() - interval '1 hour', now() - interval '1 hour', 60 from pgboss.queue where name = 'payments.capture'`);
    await client.query(`insert into pgboss.job (name, data, state, source_name)
      select name, '{}'::jsonb, 'created'::pgboss.job_state, 'payments.capture' from pgboss.queue where name = 'payments.capture.dead'`);
    const findings = await look();
    assert.equal(find(findings, 'core').verdict, 'unknown');
    const said = findings.filter(({ check }) => check === 'jobs').map(({ verdict, says }) => `${verdict}: ${says}`);
    assert.match(said.join('\n'), /warning: the oldest job of payments.authorise has waited for 36\d\d s/);
    assert.match(said.join('\n'), /warning: the oldest row of the outbox is 60\d s old/);
    assert.match(said.join('\n'), /warning: 1 active jobs are past their deadline/);
    assert.match(said.join('\n'), /warning: 1 jobs failed for the last time/);
    const away = await look({ databaseUrl: `postgres://returnit:hidden@127.0.0.1:${await freePort()}/returnit` });
    assert.equal(find(away, 'database').verdict, 'failed');
    assert.doesNotMatch(JSON.stringify(away), /hidden/);
    assert.equal(find(away, 'plugins').verdict, 'ok');
  });

  it('is a command that says what to do, and fails when something has failed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'returnit-doctor-'));
    try {
      chmodSync(folder, 0o700);
      const well = await runCli(['doctor'], { DATA_DIR: folder });
      assert.equal(well.code, 0, well.stderr);
      assert.match(well.stdout, /^CHECK +VERDICT +SAYS\n/);
      assert.match(well.stdout, /core +unknown +none runs on this data folder\n +-> Start it with: npm start\n/);
      const url = `postgres://returnit:hidden@127.0.0.1:${await freePort()}/returnit`;
      const ill = await runCli(['doctor', '--json'], { DATA_DIR: folder, DATABASE_URL: url });
      assert.equal(ill.code, 1);
      assert.equal(find(JSON.parse(ill.stdout) as Finding[], 'database').verdict, 'failed');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
