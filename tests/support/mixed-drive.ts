import type { Fix } from '../../plugins/tracking/fix.ts';

const drivers = 50;
const secondsEach = 4000;
export const mixedFixes = drivers * secondsEach;
/** Of the drivers, those whose fixes come at the end and trace by trace, as after a tunnel. */
const replayEvery = 20;
const replayBatch = 500;
const secondsOfBatch = 5;
const startMs = Date.parse('2026-05-04T23:30:00.000Z');

/**
 * 200,000 fixes of drivers at 1 Hz on both sides of midnight, in batches as they come: those of five seconds together, of
 * which every tenth is up to half a minute late; then the replays. The same in every run.
 */
export function* driveMixed(): Generator<readonly Fix[]> {
  const late = new Map<number, Fix[]>();
  let batch: Fix[] = [];
  for (let second = 0; second < secondsEach + 31; second += 1) {
    batch.push(...(late.get(second) ?? []));
    late.delete(second);
    for (let driver = 0; driver < drivers && second < secondsEach; driver += 1) {
      if (driver % replayEvery === 0) continue;
      const fix = toFix(driver, startMs + second * 1000);
      if ((second * 31 + driver * 17) % 10 !== 0) {
        batch.push(fix);
        continue;
      }
      const dueSecond = second + 1 + ((second * 7 + driver) % 30);
      late.set(dueSecond, [...(late.get(dueSecond) ?? []), fix]);
    }
    if (second % secondsOfBatch !== 0) continue;
    yield batch;
    batch = [];
  }
  yield batch;
  for (let driver = 0; driver < drivers; driver += replayEvery) {
    for (let second = 0; second < secondsEach; second += replayBatch) {
      yield Array.from({ length: replayBatch }, (_, index) => toFix(driver, startMs + (second + index) * 1000));
    }
  }
}

function toFix(driver: number, timeMs: number): Fix {
  const angle = timeMs / 400_000 + driver;
  return {
    driverId: `0199a1b2-0000-7000-8000-${String(driver).padStart(12, '0')}`,
    device: `phone-${driver}`,
    recordedAt: new Date(timeMs + driver).toISOString(),
    lat: 48.13 + Math.sin(angle) / 20,
    lon: 11.57 + Math.cos(angle) / 20,
    accuracyM: 4 + (driver % 7),
    speedMps: 13.9,
    headingDeg: (timeMs / 10_000) % 360,
    flags: [],
  };
}

/** What the fixes of this connection's schema take on disk, over all partitions. */
export const fixSizeStatement = {
  name: 'size',
  text: `select (select count(*)::int from driver_location_pings) as fixes,
      sum(pg_total_relation_size(relid))::float8 as total, sum(pg_relation_size(relid))::float8 as heap
    from (select relid from pg_partition_tree('driver_location_pings') where isleaf
      union select 'driver_location_pings'::regclass) part`,
};
