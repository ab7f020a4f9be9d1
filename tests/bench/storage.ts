import { readdirSync, readFileSync } from 'node:fs';
import { Client } from 'pg';
import type { Queryable } from '#plugin-api';
import { storeFixes } from '../../plugins/tracking/store/fixes.ts';
import type { Fix } from '../../plugins/tracking/fix.ts';
import { driveMixed, fixSizeStatement } from '../support/mixed-drive.ts';
import { startTestServer } from '../support/test-server.ts';
import type { BenchResult } from './report.ts';

const migrations = new URL('../../plugins/tracking/migrations/', import.meta.url);

/**
 * Bytes on disk of a fix with its indexes, over all partitions: drivers at 1 Hz on both sides of midnight, stored as
 * they come. The baseline is the table with text keys that there was before, filled with the same.
 */
export async function benchStorage(): Promise<BenchResult> {
  const server = await startTestServer();
  try {
    const plain = await fill(server.url, { schema: 'plain', files: /^0001/, store: storePlain });
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
        'stored fixes/s, one connection': ours.fixesPerSecond,
        'baseline stored fixes/s': plain.fixesPerSecond,
      },
    };
  } finally {
    await server.stop();
  }
}

interface FillOptions {
  readonly schema: string;
  /** @default all */
  readonly files?: RegExp;
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
    const db: Queryable = {
      async query(statement, values = []) {
        const { rows, rowCount } = await client.query({ ...statement, values: [...values] });
        return { rows: rows as never[], rowCount: rowCount ?? 0 };
      },
    };
    let storeMs = 0;
    for (const batch of driveMixed()) {
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
  const { rows } = await db.query<{ fixes: number; total: number; heap: number }>(fixSizeStatement);
  const { fixes = 0, total = 0, heap = 0 } = rows[0] ?? {};
  return {
    fixes,
    bytesPerFix: total / fixes,
    tableBytesPerFix: heap / fixes,
    fixesPerSecond: (fixes / storeMs) * 1000,
  };
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
