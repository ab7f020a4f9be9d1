import { readdirSync, readFileSync } from 'node:fs';
import { Client } from 'pg';
import type { Queryable } from '#plugin-api';
import { storeFixes } from '../../plugins/tracking/store/fixes.ts';
import type { Fix } from '../../plugins/tracking/fix.ts';
import { startTestServer } from '../support/test-server.ts';
import type { BenchResult } from './report.ts';

const drivers = 50;
const secondsEach = 4000;
const batchSize = 500;
/** Of the drivers, those whose fixes come at the end, as after a tunnel. */
const lateEvery = 20;
const migrations = new URL('../../plugins/tracking/migrations/', import.meta.url);

/**
 * Bytes on disk of a fix with its indexes, over all partitions: drivers at 1 Hz on both sides of midnight, stored in
 * batches as they come. The baseline is the table with text keys that there was before, filled with the same.
 */
export async function benchStorage(): Promise<BenchResult> {
  const server = await startTestServer();
  try {
    const plain = await fill(server.url, { schema: 'plain', files: /^0001/, store: storePlain });
    const newestFirst = await fill(server.url, { schema: 'newest_first', after: descendingIndex, store: storeFixes });
    const ours = await fill(server.url, { schema: 'tracking', store: storeFixes });
    return {
      bench: 'storage',
      unit: 'bytes/fix',
      ours: ours.bytesPerFix,
      baseline: plain.bytesPerFix,
      ratio: ours.bytesPerFix / plain.bytesPerFix,
      figures: {
        fixes: ours.fixes,
        'table bytes/fix': ours.tableBytesPerFix,
        'index bytes/fix': ours.bytesPerFix - ours.tableBytesPerFix,
        'with recorded_at desc in the index': newestFirst.bytesPerFix,
        'stored fixes/s, one connection': ours.fixesPerSecond,
        'baseline stored fixes/s': plain.fixesPerSecond,
      },
    };
  } finally {
    await server.stop();
  }
}

const descendingIndex = `drop index driver_location_pings_identity;
  create unique index on driver_location_pings (driver_key, recorded_at desc, device_key, lat, lon)`;

interface FillOptions {
  readonly schema: string;
  /** @default all */
  readonly files?: RegExp;
  /** SQL after the migrations. */
  readonly after?: string;
  store(db: Queryable, fixes: readonly Fix[]): Promise<unknown>;
}

interface Filled {
  readonly fixes: number;
  readonly bytesPerFix: number;
  readonly tableBytesPerFix: number;
  readonly fixesPerSecond: number;
}

async function fill(url: string, options: FillOptions): Promise<Filled> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`create schema ${options.schema}; set search_path to ${options.schema}`);
    for (const file of readdirSync(migrations).toSorted()) {
      if (options.files?.test(file) === false) continue;
      await client.query(readFileSync(new URL(file, migrations), 'utf8'));
    }
    if (options.after !== undefined) await client.query(options.after);
    const db: Queryable = {
      async query(statement, values = []) {
        const { rows, rowCount } = await client.query({ ...statement, values: [...values] });
        return { rows: rows as never[], rowCount: rowCount ?? 0 };
      },
    };
    let storeMs = 0;
    for (const batch of inBatches(drive())) {
      const startedAt = performance.now();
      await options.store(db, batch);
      storeMs += performance.now() - startedAt;
    }
    return await measure(db, storeMs);
  } finally {
    await client.end();
  }
}

async function measure(db: Queryable, storeMs: number): Promise<Filled> {
  const { rows } = await db.query<{ fixes: number; total: number; heap: number }>({
    name: 'size',
    text: `select (select count(*)::int from driver_location_pings) as fixes,
        sum(pg_total_relation_size(relid))::float8 as total, sum(pg_relation_size(relid))::float8 as heap
      from (select relid from pg_partition_tree('driver_location_pings') where isleaf
        union select 'driver_location_pings'::regclass) part`,
  });
  const { fixes = 0, total = 0, heap = 0 } = rows[0] ?? {};
  return {
    fixes,
    bytesPerFix: total / fixes,
    tableBytesPerFix: heap / fixes,
    fixesPerSecond: (fixes / storeMs) * 1000,
  };
}

/** Fixes in the order of their arrival: those of a second together, late ones at the end and trace by trace. */
function* drive(): Generator<Fix> {
  const startMs = Date.parse('2026-05-04T23:30:00.000Z');
  for (let second = 0; second < secondsEach; second += 1) {
    for (let driver = 0; driver < drivers; driver += 1)
      if (driver % lateEvery !== 0) yield toFix(driver, startMs + second * 1000);
  }
  for (let driver = 0; driver < drivers; driver += lateEvery)
    for (let second = 0; second < secondsEach; second += 1) yield toFix(driver, startMs + second * 1000);
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

function* inBatches(fixes: Iterable<Fix>): Generator<readonly Fix[]> {
  let batch: Fix[] = [];
  for (const fix of fixes) {
    batch.push(fix);
    if (batch.length < batchSize) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** As it was before partitions: text keys, no upsert of the newest position. */
async function storePlain(db: Queryable, fixes: readonly Fix[]): Promise<void> {
  await db.query(
    {
      name: 'store_plain',
      text: `insert into driver_location_pings
          (driver_id, device, recorded_at, lat, lon, accuracy_m, speed_mps, heading_deg)
        select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::float8[], $5::float8[], $6::real[],
          $7::real[], $8::real[]) on conflict do nothing`,
    },
    [
      fixes.map((fix) => fix.driverId),
      fixes.map((fix) => fix.device),
      fixes.map((fix) => fix.recordedAt),
      fixes.map((fix) => fix.lat),
      fixes.map((fix) => fix.lon),
      fixes.map((fix) => fix.accuracyM),
      fixes.map((fix) => fix.speedMps),
      fixes.map((fix) => fix.headingDeg),
    ],
  );
}
