import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Queryable, SqlValue, Statement } from '#plugin-api';
import type { Fix } from '../../../plugins/tracking/fix.ts';
import { storeFixes } from '../../../plugins/tracking/store/fixes.ts';
import { listEarlierPlaces } from '../../../plugins/tracking/store/pace.ts';
import { readTrace } from '../../../plugins/tracking/store/trace.ts';
import { readTrack } from '../../../plugins/tracking/store/track.ts';
import { nodesOf, type Plan } from '../support/plan.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';

const firstDayMs = Date.parse('2026-05-01T00:00:00.000Z');
const dayMs = 86_400_000;

/** The statements that a function of the store sends, each with its values. */
async function capture(
  db: Queryable,
  run: (db: Queryable) => Promise<unknown>,
): Promise<readonly { statement: Statement; values: readonly SqlValue[] }[]> {
  const sent: { statement: Statement; values: readonly SqlValue[] }[] = [];
  await run({
    query(statement, values = []) {
      sent.push({ statement, values });
      return db.query(statement, values);
    },
  });
  return sent;
}

/** Scans of the table's partitions that were begun: those that are pruned when it runs have no loop. */
function scansOf(plan: Plan): readonly Plan[] {
  return nodesOf(plan).filter(
    (node) =>
      node['Relation Name']?.startsWith('driver_location_pings') === true &&
      node['Node Type'] !== 'ModifyTable' &&
      node['Actual Loops'] !== 0,
  );
}

describe('plans of the queries on driver_location_pings', () => {
  let data: PluginDatabase;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders');
    await data.sql(`select make_ping_partitions(array(
      select day::date from generate_series('2026-05-01'::date, '2026-05-10', interval '1 day') day))`);
    // d3 has a second device, whose fixes are of the same moments.
    await data.sql(`insert into ping_tracks (driver_id, device)
      select 'd' || n, 'phone' from generate_series(1, 100) n union all select 'd3', 'tablet'`);
    await data.sql(`insert into driver_location_pings (recorded_at, track_key, lat, lon, received_lag_centiseconds)
      select '2026-05-01T00:00:00Z'::timestamptz + n * interval '30 seconds', t.track_key, 481000000 + n, 115000000, 10
      from ping_tracks t, generate_series(0, 2879) n where t.driver_id in ('d1', 'd2', 'd3')`);
    await data.sql(`insert into driver_location_pings (recorded_at, track_key, lat, lon, received_lag_centiseconds)
      select '2026-05-02T00:00:00Z'::timestamptz + n * interval '10 minutes', t.track_key, 481000000 + n, 115000000, 10
      from ping_tracks t, generate_series(0, 1200) n`);
    await data.sql('analyze');
  });
  after(() => data.stop());

  /** The plans of the one statement that reads or writes fixes, by the values of this call alone (custom) and as it is kept for any (generic). */
  async function plans(run: (db: Queryable) => Promise<unknown>): Promise<readonly Plan[]> {
    const sent = await capture(data.db, run);
    const [only, ...others] = sent.filter(({ statement }) => statement.name !== 'open_driver_track');
    assert.ok(only !== undefined && others.length === 0, `${sent.length} statements`);
    const found: Plan[] = [];
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      await data.db.transaction(async (tx) => {
        await tx.query({ name: 'set_mode', text: `select set_config('plan_cache_mode', $1, true)` }, [mode]);
        const { rows } = await tx.query<{ 'QUERY PLAN': readonly { Plan: Plan }[] }>(
          {
            name: `explain_${mode}_${only.statement.name}`,
            text: `explain (analyze, format json) ${only.statement.text}`,
          },
          only.values,
        );
        const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
        assert.ok(plan);
        found.push(plan);
      });
    }
    return found;
  }

  it('reads a page of a driver from the index, of the days of the range alone and only as far as the page goes', async () => {
    const range = { driverId: 'd1', fromMs: firstDayMs + dayMs / 2, toMs: firstDayMs + 3 * dayMs, limit: 100 };
    for (const plan of await plans((db) => readTrack(db, range))) {
      const scans = scansOf(plan);
      // Of three days, the first fills the page: the others are not begun.
      assert.deepEqual(
        scans.map((scan) => [scan['Node Type'], scan['Relation Name'], scan['Scan Direction']]),
        [['Index Scan', 'driver_location_pings_20260501', 'Forward']],
      );
      assert.match(String(scans[0]?.['Index Cond']), /track_key = .*ROW\(.* > ROW\(/);
      assert.equal(scans[0]?.['Actual Rows'], 100);
    }
  });

  it('reads what is exported and thinned from the same index', async () => {
    const range = { driverId: 'd1', fromMs: firstDayMs + dayMs / 2, toMs: firstDayMs + 3 * dayMs, limit: 100 };
    for (const plan of await plans((db) => readTrace(db, range))) {
      const scans = scansOf(plan);
      // One more than is asked for tells that there is more.
      assert.deepEqual(
        scans.map((scan) => [scan['Node Type'], scan['Relation Name'], scan['Actual Rows']]),
        [['Index Scan', 'driver_location_pings_20260501', 101]],
      );
      assert.match(String(scans[0]?.['Index Cond']), /track_key = .*ROW\(.* > ROW\(/);
    }
  });

  it('reads the next page from where the page before ended', async () => {
    const range = { driverId: 'd2', fromMs: firstDayMs, toMs: firstDayMs + 9 * dayMs, limit: 100 };
    const last = (await readTrack(data.db, { ...range, limit: 1000 })).at(-1);
    for (const plan of await plans((db) => readTrack(db, { ...range, afterCursor: last?.key }))) {
      const scans = scansOf(plan);
      assert.deepEqual(
        scans.map((scan) => [scan['Node Type'], scan['Relation Name'], scan['Actual Rows']]),
        [['Index Scan', 'driver_location_pings_20260501', 100]],
      );
    }
  });

  it('reads all pages of a range in order, each fix once', async () => {
    const range = { driverId: 'd3', fromMs: firstDayMs + 1, toMs: firstDayMs + 4 * dayMs, limit: 333 };
    const whole = await readTrack(data.db, { ...range, limit: 10_000 });
    const paged: unknown[] = [];
    for (let page = await readTrack(data.db, range); page.length > 0;) {
      paged.push(...page);
      page = await readTrack(data.db, { ...range, afterCursor: page.at(-1)?.key });
    }
    assert.ok(whole.length > 6000);
    assert.deepEqual(new Set(whole.map(({ device }) => device)), new Set(['phone', 'tablet']));
    assert.deepEqual(paged, whole);
    assert.ok(whole.every((point) => point.recordedAt > new Date(firstDayMs).toISOString()));
  });

  it('finds where drivers were some minutes before by a step into the index of that day', async () => {
    const at = new Date(firstDayMs + 3 * dayMs + 43_260_000).toISOString();
    const asked = ['d1', 'd2'].map((driverId) => ({ driverId, at }));
    assert.equal((await listEarlierPlaces(data.db, asked)).size, 2);
    for (const plan of await plans((db) => listEarlierPlaces(db, asked))) {
      const scans = scansOf(plan);
      assert.ok(scans.length > 0);
      for (const scan of scans) {
        assert.deepEqual([scan['Node Type'], scan['Relation Name']], ['Index Scan', 'driver_location_pings_20260504']);
        assert.match(String(scan['Index Cond']), /track_key = .*300000/);
        assert.equal(scan['Actual Rows'], 1);
      }
    }
  });

  it('stores a batch without reading the partitions, and finds keys by their indexes', async () => {
    const fixes = Array.from({ length: 20 }, (_, index): Fix => ({
      driverId: 'd1',
      device: 'phone',
      recordedAt: new Date(firstDayMs + 6 * dayMs + index * 1000 + 1).toISOString(),
      lat: 48,
      lon: 11,
      accuracyM: null,
      speedMps: null,
      headingDeg: null,
      flags: [],
    }));
    for (const plan of await plans((db) => storeFixes(db, fixes))) {
      assert.deepEqual(scansOf(plan), []);
      // By which index a conflict is found is the table's only one; that it is used, is shown by a repetition: no row more.
      assert.ok(nodesOf(plan).some((node) => node['Node Type'] === 'ModifyTable'));
    }
    assert.equal((await storeFixes(data.db, fixes)).stored, 0);
    const indexes = await data.sql(
      `select indexdef from pg_indexes where tablename = 'driver_location_pings_20260507'`,
    );
    assert.match(String(indexes[0]?.['indexdef']), /UNIQUE .*\(track_key, ping_ms\(recorded_at\), lat, lon\)$/);
    assert.equal(indexes.length, 1);
  });
});
