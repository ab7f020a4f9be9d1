import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Fix } from '../../../plugins/tracking/fix.ts';
import { storeFixes } from '../../../plugins/tracking/store/fixes.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';

const tracePath = new URL('../../../../shared/data/munich-car-1hz.csv', import.meta.url);
const skip = existsSync(tracePath) ? false : `no recorded trace at ${tracePath.pathname}`;

function readTrace(driverId: string): Fix[] {
  const [, ...lines] = readFileSync(tracePath, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [time = '', lat, lon] = line.split(',');
    return toFix(driverId, new Date(time).toISOString(), { lat: Number(lat), lon: Number(lon) });
  });
}

function toFix(driverId: string, recordedAt: string, changes: Partial<Fix> = {}): Fix {
  const unknown = { accuracyM: null, speedMps: null, headingDeg: null, flags: [] };
  return { driverId, device: 'phone', recordedAt, lat: 48, lon: 11, ...unknown, ...changes };
}

/** Fisher and Yates with a small generator of its own (mulberry32), so that a failure can be repeated. */
function shuffle<T>(values: readonly T[], seed: number): T[] {
  let state = seed;
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const result = [...values];
  for (let index = result.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    const [a, b] = [result[index] as T, result[other] as T];
    result[index] = b;
    result[other] = a;
  }
  return result;
}

function* inBatches<T>(values: readonly T[], size: number): Generator<T[]> {
  for (let start = 0; start < values.length; start += size) yield values.slice(start, start + size);
}

describe('storeFixes()', () => {
  let data: PluginDatabase;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders');
  });
  after(() => data.stop());
  beforeEach(() => data.sql('truncate driver_location_pings, newest_positions, tracked_orders'));

  const newest = async (driverId: string): Promise<Record<string, unknown> | undefined> =>
    (await data.sql('select lat, lon, recorded_at from newest_positions where driver_id = $1', [driverId]))[0];

  it(
    'keeps one row a fix and ends at the newest, when a trace of three drivers is repeated and shuffled',
    { skip },
    async () => {
      const traces = ['d1', 'd2', 'd3'].map((driverId) => readTrace(driverId));
      const all = traces.flat();
      const delivered = shuffle([...all, ...all, ...all.slice(0, 500)], 7);
      const lastMoveMs = new Map<string, number>();
      let stored = 0;
      for (const batch of inBatches(delivered, 500)) {
        const result = await storeFixes(data.db, batch);
        stored += result.stored;
        for (const { driverId, recordedAt } of result.moved) {
          assert.ok(Date.parse(recordedAt) > (lastMoveMs.get(driverId) ?? 0), 'the newest position went back');
          lastMoveMs.set(driverId, Date.parse(recordedAt));
        }
      }
      assert.equal(stored, all.length);
      const [count] = await data.sql('select count(*)::int as rows from driver_location_pings');
      assert.equal(count?.['rows'], 3 * 1194);
      for (const trace of traces) {
        const last = trace.at(-1);
        const position = await newest(String(last?.driverId));
        assert.deepEqual([position?.['lat'], position?.['lon']], [last?.lat, last?.lon]);
      }
    },
  );

  it('stores the same batches from several nodes at the same time without a deadlock', { skip }, async () => {
    const all = ['d1', 'd2', 'd3', 'd4'].flatMap((driverId) => readTrace(driverId).slice(0, 300));
    await Promise.all(
      Array.from({ length: 6 }, async (_, node) => {
        for (const batch of inBatches(shuffle(all, node), 200)) await storeFixes(data.db, batch);
      }),
    );
    const [count] = await data.sql('select count(*)::int as rows from driver_location_pings');
    assert.equal(count?.['rows'], all.length);
  });

  it('takes any ids, also those that an array would read as something else', async () => {
    const ids = ['null', 'NULL', '', 'a,b', '{x}', '"\\', ' d1 '];
    const fixes = ids.map((id) => toFix(id, '2026-05-04T08:00:00.000Z', { device: id }));
    const { stored, moved } = await storeFixes(data.db, fixes);
    assert.equal(stored, ids.length);
    assert.deepEqual(moved.map(({ driverId }) => driverId).toSorted(), ids.toSorted());
    const rows = await data.sql('select from ping_tracks where driver_id = device and driver_id = any($1)', [ids]);
    assert.equal(rows.length, ids.length);
  });

  it('tells of a move with what was before and the orders that are carried, and of no move otherwise', async () => {
    await data.sql(`insert into tracked_orders (order_id, driver_id, status) values
      ('o1', 'd1', 'active'), ('o2', 'd1', 'active'), ('o3', 'd1', 'closed'), ('o4', 'd2', 'active')`);
    const first = toFix('d1', '2026-05-04T08:00:00.250Z', { accuracyM: 4.5 });
    assert.deepEqual(await storeFixes(data.db, [first]), {
      stored: 1,
      moved: [
        {
          driverId: 'd1',
          recordedAt: '2026-05-04T08:00:00.250Z',
          lat: 48,
          lon: 11,
          accuracyM: 4.5,
          speedMps: null,
          headingDeg: null,
          previousRecordedAt: null,
          orderIds: ['o1', 'o2'],
        },
      ],
      carriers: ['d1'],
    });
    assert.deepEqual(await storeFixes(data.db, [first]), { stored: 0, moved: [], carriers: ['d1'] });
    const late = toFix('d1', '2026-05-04T07:59:00.000Z');
    assert.deepEqual(await storeFixes(data.db, [late]), { stored: 1, moved: [], carriers: ['d1'] });
    const next = await storeFixes(data.db, [toFix('d1', '2026-05-04T08:00:01.000Z')]);
    assert.equal(Date.parse(String(next.moved[0]?.previousRecordedAt)), Date.parse(first.recordedAt));
  });

  it('ends at the same position whatever the order of fixes of one moment', async () => {
    const moment = '2026-05-04T08:00:00.000Z';
    const fixes = [
      toFix('d1', moment, { device: 'a', lat: 1 }),
      toFix('d1', moment, { device: 'b', lat: 2 }),
      toFix('d1', moment, { device: 'b', lat: 3 }),
    ];
    for (const order of [fixes, fixes.toReversed(), shuffle(fixes, 3)]) {
      await data.sql('truncate driver_location_pings, newest_positions');
      for (const fix of order) await storeFixes(data.db, [fix]);
      assert.equal((await newest('d1'))?.['lat'], 3);
    }
  });

  it('takes a batch that holds the same fix several times', async () => {
    const fix = toFix('d1', '2026-05-04T08:00:00.000Z');
    const { stored, moved } = await storeFixes(data.db, [fix, { ...fix }, fix]);
    assert.deepEqual([stored, moved.length], [1, 1]);
  });
});
