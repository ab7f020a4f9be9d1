import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as pg from 'pg';
import type { AppError } from '#core/errors/app-error.ts';
import { createDatabase, type Database } from '#core/database/database.ts';
import { preparePlugins, type PluginPreparation } from '#core/database/plugin-roles.ts';
import { createDatabaseFixture, createTestDatabase } from '../../support/postgres.ts';

const root = mkdtempSync(join(tmpdir(), 'returnit-migrations-'));
after(() => rmSync(root, { recursive: true, force: true }));

function writeMigrations(name: string, files: Readonly<Record<string, string>>): string {
  const dir = join(root, name);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  for (const [file, sql] of Object.entries(files)) writeFileSync(join(dir, file), sql);
  return dir;
}

const trackingDir = writeMigrations('tracking', {
  '0001_create_position.sql': `create table position (driver_id text primary key, lat float8, secret text);
    insert into position values ('d1', 1.5, 'hidden');
    create view driver_position as select driver_id, lat from position;
    create view unpublished as select * from position;
    create function leak() returns text language sql security definer as $$ select secret from tracking.position limit 1 $$;`,
});
const driversDir = writeMigrations('drivers', {
  '0001_create_driver.sql': 'create table driver (id text primary key)',
});

const tracking: PluginPreparation = {
  name: 'tracking',
  migrationsDir: trackingDir,
  publishes: ['driver_position'],
  reads: [],
};
const drivers: PluginPreparation = {
  name: 'drivers',
  migrationsDir: driversDir,
  publishes: [],
  reads: ['tracking.driver_position'],
};

async function query(database: Database, plugin: string, text: string): Promise<unknown[]> {
  const client = await database.pluginPool(plugin).connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows;
  } finally {
    client.release(true);
  }
}

const denied = (error: unknown): boolean => (error as { code?: string }).code === '42501';

/** The same behaviour is expected of a superuser's server and of one where the core's role may only create roles. */
function describeRoles(
  open: () => Promise<{
    database: Database;
    config: Parameters<typeof preparePlugins>[2]['config'];
    stop(): Promise<void>;
  }>,
): void {
  let fixture: Awaited<ReturnType<typeof open>>;
  before(async () => {
    fixture = await open();
    await preparePlugins(fixture.database, [tracking, drivers], fixture);
  });
  after(() => fixture.stop());

  it('gives each plugin a schema of its own role', async () => {
    const [row] = await query(
      fixture.database,
      'tracking',
      'select session_user, current_schema, count(*) from position',
    );
    assert.deepEqual(row, ['returnit_tracking', 'tracking', '1']);
  });

  it('lets another plugin read exactly the published view', async () => {
    assert.deepEqual(await query(fixture.database, 'drivers', 'select driver_id, lat from tracking.driver_position'), [
      ['d1', 1.5],
    ]);
    for (const text of [
      'select * from tracking.position',
      'select * from tracking.unpublished',
      'select tracking.leak()',
      "insert into tracking.driver_position values ('d2', 1)",
      'drop view tracking.driver_position',
      'create table tracking.mine ()',
      'create table public.mine ()',
      'create temporary table mine ()',
      'create schema mine',
      'create role mine',
      'select * from returnit.plugin',
      'select * from returnit.migration',
      'select * from returnit.seal_key',
      'set role returnit_tracking',
      'set session authorization returnit_tracking',
      "select set_config('role', 'returnit_tracking', false)",
      "select pg_read_file('postgresql.conf')",
      "copy (select 1) to program 'true'",
    ]) {
      await assert.rejects(query(fixture.database, 'drivers', text), denied, text);
    }
    await assert.rejects(query(fixture.database, 'tracking', 'select * from drivers.driver'), denied);
  });

  it('cannot be left by reset role', async () => {
    const client = await fixture.database.pluginPool('drivers').connect();
    await client.query('reset role');
    await client.query('reset session authorization');
    assert.equal((await client.query('select current_user as name')).rows[0].name, 'returnit_drivers');
    client.release(true);
  });

  it('records migrations only with the token of the core', async () => {
    await assert.rejects(
      query(fixture.database, 'drivers', "select returnit.record_plugin_migration('guess', 2, 'x', 'y')"),
      /only the core may record a migration/,
    );
  });

  it('changes nothing when it runs again, also on several nodes at once', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => preparePlugins(fixture.database, [tracking, drivers], fixture)));
    assert.deepEqual(
      runs.map((run) => [...run.migrated.values()].flat()),
      [[], [], []],
    );
    assert.deepEqual(await query(fixture.database, 'drivers', 'select driver_id from tracking.driver_position'), [
      ['d1'],
    ]);
  });

  it('takes back what is no longer granted, and what a migration granted', async () => {
    await query(fixture.database, 'tracking', 'grant usage on schema tracking to public');
    await query(fixture.database, 'tracking', 'grant select (driver_id) on position to returnit_drivers');
    await preparePlugins(fixture.database, [tracking], fixture);
    assert.deepEqual(
      await query(fixture.database, 'drivers', 'select driver_id from tracking.driver_position'),
      [['d1']],
      'kept by a node without drivers',
    );
    await assert.rejects(query(fixture.database, 'drivers', 'select driver_id from tracking.position'), denied);
    await preparePlugins(fixture.database, [{ ...drivers, reads: [] }], fixture);
    await assert.rejects(query(fixture.database, 'drivers', 'select driver_id from tracking.driver_position'), denied);
    const result = await preparePlugins(
      fixture.database,
      [{ ...drivers, reads: ['tracking.unpublished', 'tracking.driver_position'] }],
      fixture,
    );
    assert.deepEqual(result.unresolved, [{ plugin: 'drivers', view: 'tracking.unpublished' }]);
    assert.deepEqual(await query(fixture.database, 'drivers', 'select driver_id from tracking.driver_position'), [
      ['d1'],
    ]);
  });

  it('runs migrations as the plugin: they cannot touch others, and a failure names file and position', async () => {
    const dir = writeMigrations('rogue', {
      '0001_ok.sql': 'create table a ()',
      '0002_steal.sql': 'create table b ();\n  select * from tracking.position;',
    });
    const rogue = { name: 'rogue', migrationsDir: dir, publishes: [], reads: [] };
    await assert.rejects(preparePlugins(fixture.database, [rogue], fixture), (error: AppError) => {
      assert.equal(error.code, 'MIGRATION_FAILED');
      assert.match(error.message, /0002_steal\.sql".*permission denied/s);
      return true;
    });
    writeMigrations('rogue', {
      '0001_ok.sql': 'create table a ()',
      '0002_steal.sql': 'create table b ();\n  selec 1;',
    });
    await assert.rejects(
      preparePlugins(fixture.database, [rogue], fixture),
      /0002_steal\.sql" \(line 2, column 3\): syntax error/,
    );
    writeMigrations('rogue', {
      '0001_ok.sql': 'create table a ()',
      '0002_steal.sql': 'create table b (); commit; reset role',
    });
    await assert.rejects(preparePlugins(fixture.database, [rogue], fixture), /it ends its transaction/);
    writeMigrations('rogue', { '0001_ok.sql': 'create table changed ()' });
    await assert.rejects(
      preparePlugins(fixture.database, [rogue], fixture),
      /0001_ok\.sql": it was changed after it was applied/,
    );
  });

  it('refuses to publish a view that does not exist', async () => {
    await assert.rejects(
      preparePlugins(fixture.database, [{ ...tracking, publishes: ['driver_position', 'nothing'] }], fixture),
      /Cannot publish view "tracking.nothing"/,
    );
    await preparePlugins(fixture.database, [tracking], fixture);
  });
}

const plugins = [
  { name: 'tracking', connections: 2 },
  { name: 'drivers', connections: 2 },
];

describe('preparePlugins() as a superuser', () => {
  describeRoles(() => createDatabaseFixture({ plugins }));
});

describe('preparePlugins() as a role with CREATEROLE that owns the database', () => {
  describeRoles(async () => {
    const test = await createTestDatabase();
    const admin = new pg.Client({ connectionString: test.url });
    await admin.connect();
    const role = `owner_${test.name}`;
    // Roles of the superuser's tests are not this role's to change: as on a server of its own, there are none.
    for (const name of ['returnit_tracking', 'returnit_drivers', 'returnit_rogue']) {
      const found = await admin.query({ text: 'select from pg_roles where rolname = $1', values: [name] });
      if (found.rowCount !== 0) await admin.query(`alter role ${name} rename to ${name}_of_superuser`);
    }
    await admin.query(`create role ${role} login createrole password 'secret'`);
    await admin.query(`alter database ${test.name} owner to ${role}`);
    await admin.query(`do $$ declare item record; begin
      for item in select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'returnit' loop
        execute 'alter table ' || item.name || ' owner to ${role}';
      end loop;
      for item in select oid::regprocedure as name from pg_proc where pronamespace = 'returnit'::regnamespace loop
        execute 'alter function ' || item.name || ' owner to ${role}';
      end loop;
      execute 'alter schema returnit owner to ${role}';
    end $$`);
    await admin.end();
    const fixture = await createDatabaseFixture({ plugins });
    const url = new URL(test.url);
    url.username = role;
    url.password = 'secret';
    const database = await createDatabase({
      config: fixture.config,
      telemetry: fixture.telemetry,
      url: url.href,
      plugins,
    });
    return {
      database,
      config: fixture.config,
      async stop() {
        await database.stop();
        await fixture.stop();
        await test.drop();
      },
    };
  });
});
