import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { Fix } from '../../../plugins/tracking/fix.ts';
import { storeFixes } from '../../../plugins/tracking/store/fixes.ts';
import { readTrack } from '../../../plugins/tracking/store/track.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { orderOf, startLiveNodes, type LiveNodes } from './live-nodes-model.ts';

const folder = new URL('../../../../shared/data/', import.meta.url);
const skip = existsSync(folder) ? false : `no recorded traces at ${folder.pathname}`;

interface Point {
  readonly recordedAt: string;
  readonly lat: number;
  readonly lon: number;
}

function readCsv(name: string): Point[] {
  const [, ...lines] = readFileSync(new URL(name, folder), 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [time = '', lat, lon] = line.split(',');
    return { recordedAt: new Date(time).toISOString(), lat: Number(lat), lon: Number(lon) };
  });
}

function readGpx(name: string): Point[] {
  const text = readFileSync(new URL(name, folder), 'utf8');
  const points = text.matchAll(/<trkpt lat="([^"]+)" lon="([^"]+)".*?<time>([^<]+)<\/time>/gs);
  return Array.from(points, ([, lat, lon, time = '']) => ({
    recordedAt: new Date(time).toISOString(),
    lat: Number(lat),
    lon: Number(lon),
  }));
}

/** Fixes that several devices of a few drivers made of the traces; every seventh is inaccurate. */
function toFixes(traces: readonly (readonly Point[])[]): Fix[] {
  return traces.flatMap((trace, index) =>
    trace.map((point, position): Fix => ({
      ...point,
      driverId: `d${index % 2}`,
      device: `phone-${index % 3}`,
      accuracyM: 5,
      speedMps: null,
      headingDeg: null,
      flags: position % 7 === 0 ? ['inaccurate'] : [],
    })),
  );
}

/** To a centimetre; a half goes to the even one, as Postgres rounds. */
function round(degrees: number): number {
  const scaled = degrees * 1e7;
  const isHalf = scaled - Math.floor(scaled) === 0.5;
  return (isHalf ? 2 * Math.round(scaled / 2) : Math.round(scaled)) / 1e7;
}

const identity = (fix: Pick<Fix, 'driverId' | 'device' | 'recordedAt' | 'lat' | 'lon'>): string =>
  [fix.driverId, fix.device, fix.recordedAt, round(fix.lat), round(fix.lon)].join(' ');

/** Newer by time; of one moment the greater device, then place. */
function compare(a: Fix, b: Fix): number {
  for (const part of ['recordedAt', 'device', 'lat', 'lon'] as const) {
    if (a[part] !== b[part]) return a[part] < b[part] ? -1 : 1;
  }
  return 0;
}

/** A delivery: which fixes in which order, how they are cut into batches, and how many nodes take them at once. */
function deliveries(fixes: readonly Fix[]): fc.Arbitrary<{ batches: Fix[][]; nodes: number }> {
  return fc
    .record({
      order: fc.array(fc.nat(fixes.length - 1), { minLength: 1, maxLength: 300, size: 'max' }),
      sizes: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 }),
      nodes: fc.integer({ min: 1, max: 6 }),
    })
    .map(({ order, sizes, nodes }) => {
      const delivered = order.map((index) => fixes[index] as Fix);
      const batches: Fix[][] = [];
      for (let start = 0, turn = 0; start < delivered.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1;
        batches.push(delivered.slice(start, start + size));
        start += size;
      }
      return { batches, nodes };
    });
}

describe('storeFixes() and the live stream against a model', () => {
  let data: PluginDatabase;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders');
    for (const [driverId, orderId] of Object.entries(orderOf)) {
      await data.sql(
        `insert into tracked_orders (order_id, driver_id, status) values ('${orderId}', '${driverId}', 'active')`,
      );
    }
  });
  after(() => data.stop());

  it(
    'keep each fix once, and show the newest position moving only forward, in any order, repeated, and from several nodes',
    { skip },
    async () => {
      const munich = readCsv('munich-car-1hz.csv');
      const fixes = toFixes([
        munich.slice(0, 150),
        readGpx('visnjan-car.gpx'),
        readGpx('korita-zbevnica.gpx').slice(0, 100),
        // Another device of another driver on the same way at the same time.
        munich.slice(100, 200),
      ]);
      assert.ok(fixes.length > 400, `${fixes.length} fixes`);
      await fc.assert(
        fc.asyncProperty(deliveries(fixes), async ({ batches, nodes }) => {
          await data.sql('truncate driver_location_pings, newest_positions, ping_tracks');
          const moves: { driverId: string; recordedAt: string; previousRecordedAt: string | null }[] = [];
          let stored = 0;
          const queue = [...batches];
          const live = await startLiveNodes(data, nodes);
          const joinAt = Math.floor(queue.length / 2);
          let joined: Promise<void> | undefined;
          await Promise.all(
            Array.from({ length: nodes }, async (_, node) => {
              for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
                // In the middle of it all: between a snapshot and the changes nothing is lost.
                if (queue.length <= joinAt) joined ??= live.join();
                const result = await storeFixes(data.db, batch);
                stored += result.stored;
                moves.push(...result.moved);
                await live.publish(node, result.moved);
              }
            }),
          );
          await joined;
          await live.settle();
          live.stop();
          const delivered = batches.flat();
          assert.equal(stored, await assertRows(data, delivered));
          await assertNewest(data, delivered);
          assertForward(moves);
          assertShown(live, delivered);
        }),
        { numRuns: 25, seed: 20_260_504 },
      );
    },
  );
});

async function assertRows(data: PluginDatabase, delivered: readonly Fix[]): Promise<number> {
  const expected = new Set(delivered.map(identity));
  const seen: string[] = [];
  for (const driverId of new Set(delivered.map((fix) => fix.driverId))) {
    const track = await readTrack(data.db, { driverId, fromMs: 0, toMs: Date.UTC(2030, 0), limit: 10_000 });
    assert.deepEqual(
      track.map(({ recordedAt }) => recordedAt),
      track.map(({ recordedAt }) => recordedAt).toSorted(),
    );
    seen.push(...track.map((point) => identity({ driverId, ...point })));
  }
  assert.deepEqual(seen.toSorted(), [...expected].toSorted());
  return expected.size;
}

async function assertNewest(data: PluginDatabase, delivered: readonly Fix[]): Promise<void> {
  const expected = new Map<string, Fix>();
  for (const fix of delivered.filter(({ flags }) => !flags.includes('inaccurate'))) {
    const newest = expected.get(fix.driverId);
    if (newest === undefined || compare(fix, newest) > 0) expected.set(fix.driverId, fix);
  }
  const rows = await data.sql(`select driver_id, device, lat, lon,
    to_char(recorded_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as recorded from newest_positions order by 1`);
  assert.deepEqual(
    rows.map((row) => [row['driver_id'], row['device'], row['recorded'], row['lat'], row['lon']]),
    [...expected.values()]
      .toSorted((a, b) => (a.driverId < b.driverId ? -1 : 1))
      .map((fix) => [fix.driverId, fix.device, fix.recordedAt, fix.lat, fix.lon]),
  );
}

/** What a move says was before it is never after it. */
function assertForward(moves: readonly { recordedAt: string; previousRecordedAt: string | null }[]): void {
  for (const { recordedAt, previousRecordedAt } of moves) {
    assert.ok(previousRecordedAt === null || Date.parse(previousRecordedAt) <= Date.parse(recordedAt));
  }
}

/** Every client, however slow or late it came, has seen the time grow up to the newest, and nothing that was not sent. */
function assertShown(live: LiveNodes, delivered: readonly Fix[]): void {
  for (const driverId of Object.keys(orderOf)) {
    const accurate = delivered.filter((fix) => fix.driverId === driverId && !fix.flags.includes('inaccurate'));
    const times = new Set(accurate.map(({ recordedAt }) => Date.parse(recordedAt)));
    for (const shown of live.shown) {
      const versions = shown[driverId] ?? [];
      assert.deepEqual(
        versions,
        [...new Set(versions)].toSorted((a, b) => a - b),
        'only forward',
      );
      assert.ok(versions.every((version) => times.has(version)));
      assert.equal(versions.at(-1), times.size === 0 ? undefined : Math.max(...times));
    }
  }
}
