import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Fix } from '../../../plugins/tracking/fix.ts';
import { keepPartitions } from '../../../plugins/tracking/partition-keeping.ts';
import { plugin } from '../../../plugins/tracking/plugin.ts';
import { daysToMake, oldestDayToKeep } from '../../../plugins/tracking/retention.ts';
import { storeFixes } from '../../../plugins/tracking/store/fixes.ts';
import { countPartitions, dropOldestPartition, makePartitions } from '../../../plugins/tracking/store/partitions.ts';
import { runPlugin } from '../support/plugin-context.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';

const dayMs = 86_400_000;
const signal = new AbortController().signal;

function toFix(recordedAt: string, changes: Partial<Fix> = {}): Fix {
  const unknown = { accuracyM: null, speedMps: null, headingDeg: null, flags: [] };
  return { driverId: 'd1', device: 'phone', recordedAt, lat: 48, lon: 11, ...unknown, ...changes };
}

describe('partitions of fixes', () => {
  let data: PluginDatabase;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate newest_positions, ping_tracks');
    while ((await dropOldestPartition(data.db, '9999-01-01')) !== null);
  });

  /** Rows by the day of their partition. */
  const rowsByDay = async (): Promise<Record<string, number>> => {
    const rows = await data.sql(
      'select right(tableoid::regclass::text, 8) as day, count(*)::int as count from driver_location_pings group by 1 order by 1',
    );
    return Object.fromEntries(rows.map(({ day, count }) => [day, count]));
  };

  it('makes the days of a batch on both sides of midnight, and each row lies in its UTC day', async () => {
    const { stored } = await storeFixes(data.db, [
      toFix('2026-05-04T23:59:59.999Z'),
      toFix('2026-05-05T00:00:00.000Z'),
      toFix('2026-05-05T00:00:00.001Z'),
    ]);
    assert.equal(stored, 3);
    assert.deepEqual(await rowsByDay(), { 20260504: 1, 20260505: 2 });
  });

  it('makes days of 24 hours where clocks change, whatever zone the session is in', async () => {
    for (const [zone, day] of [
      ['Europe/Berlin', '2026-03-29'],
      ['Europe/Berlin', '2026-10-25'],
      ['Pacific/Apia', '2026-04-05'],
    ] as const) {
      await data.db.transaction(async (tx) => {
        await tx.query({ name: 'set_zone', text: `select set_config('timezone', $1, true)` }, [zone]);
        await makePartitions(tx, [day]);
        const hours = Array.from({ length: 24 }, (_, hour) =>
          toFix(`${day}T${String(hour).padStart(2, '0')}:30:00.000Z`),
        );
        assert.equal((await storeFixes(tx, hours)).stored, 24);
      });
      assert.equal((await rowsByDay())[day.replaceAll('-', '')], 24);
    }
    assert.equal((await countPartitions(data.db)).count, 3);
  });

  it('makes the day of a late fix that has none, and the newest position stays', async () => {
    await storeFixes(data.db, [toFix('2026-05-30T08:00:00.000Z', { lat: 49 })]);
    const late = await storeFixes(data.db, [toFix('2026-05-02T08:00:00.000Z')]);
    assert.deepEqual(late, { stored: 1, moved: [], carriers: [] });
    assert.deepEqual(await countPartitions(data.db), { count: 2, oldestDay: '2026-05-02' });
    assert.deepEqual(await data.sql('select lat from newest_positions'), [{ lat: 49 }]);
  });

  it('is made once by many nodes at the same moment, which all store their fixes', async () => {
    const days = ['2026-05-01', '2026-05-02', '2026-05-03'];
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, node) =>
        storeFixes(
          data.db,
          // Every other node names the days the other way round, and all bring a driver and a device that are new.
          (node % 2 === 0 ? days : days.toReversed()).map((day) =>
            toFix(`${day}T08:00:00.000Z`, { driverId: `d${node % 3}`, device: `phone-${node}` }),
          ),
        ),
      ),
    );
    assert.equal(
      results.reduce((sum, { stored }) => sum + stored, 0),
      36,
    );
    assert.deepEqual(await rowsByDay(), { 20260501: 12, 20260502: 12, 20260503: 12 });
    assert.equal((await data.sql('select from ping_tracks')).length, 12);
    const made = await Promise.all(Array.from({ length: 8 }, () => makePartitions(data.db, daysToMake(0))));
    assert.equal(
      made.reduce((sum, count) => sum + count, 0),
      4,
    );
  });

  it('uses a key up for a new name only, however often a driver is heard of', async () => {
    const fixes = Array.from({ length: 50 }, (_, index) =>
      toFix(`2026-05-04T08:00:${String(index).padStart(2, '0')}.000Z`),
    );
    for (const fix of fixes) await storeFixes(data.db, [fix]);
    await storeFixes(data.db, [toFix('2026-05-04T09:00:00.000Z', { driverId: 'd2', device: 'other' })]);
    const [keys] = await data.sql('select max(track_key) - min(track_key) as used from ping_tracks');
    assert.deepEqual(keys, { used: 1 });
  });

  it('is made while a writer is in the middle of a transaction, and waits for none', async () => {
    await storeFixes(data.db, [toFix('2026-05-04T08:00:00.000Z')]);
    await data.db.transaction(async (tx) => {
      await storeFixes(tx, [toFix('2026-05-04T08:00:01.000Z')]);
      assert.equal(await makePartitions(data.db, ['2026-05-05']), 1);
      // Of another driver: a driver's newest position is one row, which has one writer at a time.
      assert.equal((await storeFixes(data.db, [toFix('2026-05-05T08:00:01.000Z', { driverId: 'd2' })])).stored, 1);
    });
    assert.deepEqual(await rowsByDay(), { 20260504: 2, 20260505: 1 });
  });

  it('is not dropped under a reader for long: the drop gives up, and whoever writes goes on', async () => {
    await storeFixes(data.db, [toFix('2026-05-04T08:00:00.000Z')]);
    await data.db.transaction(async (tx) => {
      await tx.query({ name: 'read', text: 'select from driver_location_pings' });
      await assert.rejects(dropOldestPartition(data.db, '2026-06-01'), /lock timeout/);
      assert.equal((await storeFixes(data.db, [toFix('2026-05-04T08:00:01.000Z')])).stored, 1);
    });
    assert.equal(await dropOldestPartition(data.db, '2026-06-01'), '2026-05-04');
  });
});

describe('keepPartitions()', () => {
  let data: PluginDatabase;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders');
  });
  after(() => data.stop());

  const context = (): {
    ctx: Parameters<typeof keepPartitions>[0];
    values: Map<string, number>;
  } => {
    const values = new Map<string, number>();
    const silent = (): void => undefined;
    return {
      values,
      ctx: {
        db: data.db,
        log: { debug: silent, info: silent, warn: silent, error: silent },
        metrics: {
          increment: (name, _labels, by = 1) => void values.set(name, (values.get(name) ?? 0) + by),
          set: (name, value) => void values.set(name, value),
          observe: silent,
        },
      },
    };
  };
  const retentionMs = 30 * dayMs;

  it('makes today and three days more, drops what is past retention and no day that a fix may still be of', async () => {
    const { ctx, values } = context();
    const nowMs = Date.parse('2026-05-31T00:30:00.000Z');
    const kept = new Date(nowMs - retentionMs).toISOString();
    for (const day of ['2026-04-01', '2026-04-28', '2026-04-29', '2026-04-30', '2026-05-01', '2026-05-20'])
      await storeFixes(data.db, [toFix(`${day}T23:30:00.000Z`)]);
    await keepPartitions(ctx, { nowMs, retentionMs, signal });
    const names = (await data.sql(`select to_char(day, 'MM-DD') as day from ping_partitions order by 1`)).map(
      ({ day }) => day,
    );
    // 2026-04-30 goes an hour after its last moment is past retention.
    assert.deepEqual(names, ['04-30', '05-01', '05-20', '05-31', '06-01', '06-02', '06-03']);
    assert.equal(values.get('returnit_tracking_partitions_dropped_total'), 3);
    assert.equal(values.get('returnit_tracking_partitions'), 7);
    assert.equal(values.get('returnit_tracking_oldest_day_timestamp_seconds'), Date.UTC(2026, 3, 30) / 1000);
    assert.equal((await storeFixes(data.db, [toFix(kept)])).stored, 1);
    await keepPartitions(ctx, { nowMs: nowMs + 3_600_000, retentionMs, signal });
    assert.equal((await countPartitions(data.db)).oldestDay, '2026-05-01');
    await keepPartitions(ctx, { nowMs: nowMs + 3_600_000, retentionMs, signal });
    assert.equal(values.get('returnit_tracking_partitions_dropped_total'), 4);
  });

  it('takes a fix of a day that is dropped already, and drops that day again', async () => {
    const { ctx } = context();
    const nowMs = Date.parse('2026-07-01T12:00:00.000Z');
    await keepPartitions(ctx, { nowMs, retentionMs, signal });
    assert.equal((await storeFixes(data.db, [toFix('2026-05-25T08:00:00.000Z')])).stored, 1);
    assert.equal((await countPartitions(data.db)).oldestDay, '2026-05-25');
    await keepPartitions(ctx, { nowMs, retentionMs, signal });
    assert.equal((await countPartitions(data.db)).oldestDay, '2026-06-01');
  });

  it('is right when several nodes do it at once while fixes come', async () => {
    const { ctx, values } = context();
    const nowMs = Date.parse('2026-09-01T00:00:00.000Z');
    for (const day of ['2026-07-10', '2026-07-11', '2026-07-12'])
      await storeFixes(data.db, [toFix(`${day}T08:00:00.000Z`)]);
    const dropped = (await countPartitions(data.db)).count;
    const fixes = Array.from({ length: 60 }, (_, index) => toFix(new Date(nowMs + index * 1000).toISOString()));
    const [stored] = await Promise.all([
      Promise.all(fixes.map((fix) => storeFixes(data.db, [fix]))),
      ...Array.from({ length: 4 }, () => keepPartitions(ctx, { nowMs, retentionMs, signal })),
    ]);
    assert.equal(
      stored.reduce((sum, batch) => sum + batch.stored, 0),
      60,
    );
    assert.equal((await countPartitions(data.db)).count, 4);
    assert.equal(values.get('returnit_tracking_partitions_dropped_total'), dropped);
  });

  it('counts what fails, and fails', async () => {
    const { ctx, values } = context();
    const broken = { ...ctx, db: { ...ctx.db, query: () => Promise.reject(new Error('the database is away')) } };
    await assert.rejects(keepPartitions(broken, { nowMs: 0, retentionMs, signal }), /away/);
    assert.equal(values.get('returnit_tracking_partition_failures_total'), 1);
  });

  it('keeps each day as long as a fix of it may be taken', () => {
    for (let hour = 0; hour < 48; hour += 1) {
      const nowMs = Date.parse('2026-03-29T00:00:00Z') + hour * 3_600_000;
      assert.ok(oldestDayToKeep(nowMs, retentionMs) <= new Date(nowMs - retentionMs).toISOString().slice(0, 10));
    }
  });
});

describe('the job tracking.partitions', () => {
  it('comes each hour, and keeps fixes and what is over as long as is set', async (t) => {
    const data = await createPluginDatabase('tracking', 'orders');
    t.after(() => data.stop());
    const nowMs = Date.parse('2026-10-05T00:30:00.000Z');
    t.mock.timers.enable({ apis: ['Date'], now: nowMs });
    for (const day of ['2026-08-31', '2026-09-01', '2026-10-01', '2026-10-02', '2026-10-04'])
      await storeFixes(data.db, [toFix(`${day}T08:00:00.000Z`)]);
    await data.sql(`insert into tracked_orders (order_id, status, updated_at) values ('over', 'closed', $1)`, [
      new Date(nowMs - 35 * dayMs),
    ]);
    const days = async (): Promise<unknown[]> =>
      (await data.sql(`select to_char(day, 'MM-DD') as day from ping_partitions order by 1`)).map(({ day }) => day);
    const byDefault = await runPlugin(plugin, data.db);
    assert.match(byDefault.schedules.get('tracking.partitions') ?? '', /^\d+ \* \* \* \*$/);
    await byDefault.work('tracking.partitions', {});
    const ahead = ['10-05', '10-06', '10-07', '10-08'];
    assert.deepEqual(await days(), ['10-01', '10-02', '10-04', ...ahead]);
    assert.deepEqual(await data.sql('select from tracked_orders'), []);
    assert.equal(byDefault.counted('returnit_tracking_orders_forgotten_total', {}), 1);
    const forTwoDays = await runPlugin(plugin, data.db, { TRACKING_RETENTION_DAYS: '2' });
    await forTwoDays.work('tracking.partitions', {});
    assert.deepEqual(await days(), ['10-02', '10-04', ...ahead]);
    assert.equal(forTwoDays.counted('returnit_tracking_partitions_dropped_total', {}), 1);
  });
});
