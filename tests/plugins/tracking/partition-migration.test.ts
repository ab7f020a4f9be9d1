import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Fix } from '../../../plugins/tracking/fix.ts';
import { storeFixes } from '../../../plugins/tracking/store/fixes.ts';
import { countPartitions } from '../../../plugins/tracking/store/partitions.ts';
import { createPluginDatabase } from '../support/plugin-database.ts';

const phone: Omit<Fix, 'recordedAt' | 'lat' | 'lon'> = {
  driverId: 'd1',
  device: 'phone',
  accuracyM: null,
  speedMps: null,
  headingDeg: null,
  flags: [],
};

describe('migration to partitions', () => {
  it('moves the rows of the table that was there before, each with what is known of it', async () => {
    const data = await createPluginDatabase('tracking', 'orders');
    const folder = new URL('../../../plugins/tracking/migrations/', import.meta.url);
    const files = readdirSync(folder).toSorted();
    const run = async (from: number, to: number): Promise<void> => {
      for (const file of files.slice(from - 1, to)) await data.sql(readFileSync(new URL(file, folder), 'utf8'));
    };
    try {
      await data.sql('drop schema tracking cascade');
      await data.sql('create schema tracking');
      await run(1, 2);
      await data.sql(`insert into driver_location_pings
          (driver_id, device, recorded_at, lat, lon, accuracy_m, speed_mps, heading_deg, received_at) values
        ('d1', 'phone', '2026-05-04T23:59:59.999Z', 48.16350662940509, -11.5643882, 4.51, 13.92, 359.97, '2026-05-05T00:00:01Z'),
        ('d1', 'phone', '2026-05-05T00:00:00Z', -90, 180, null, null, null, '2026-05-05T00:00:00Z'),
        -- The same centimetre: one fix.
        ('d1', 'phone', '2026-05-05T00:00:00Z', -89.99999999999, 180, null, null, null, '2026-05-05T00:00:00Z'),
        ('d2', 'tablet', '2026-03-29T01:30:00.250Z', 0, 0.00001, 0, 0, 0, '2026-05-05T00:00:00Z')`);
      await run(3, 5);
      await data.sql('update driver_location_pings set flags = 2 where lat = 0');
      await run(6, files.length);
      const rows = await data.sql(`select driver_id, device, lat, lon, accuracy_m, speed_mps, heading_deg,
          to_char(recorded_at at time zone 'utc', 'MM-DD HH24:MI:SS.MS') as recorded, received_at::text is not null as received, flags
        from driver_fixes order by driver_id, recorded_at`);
      const common = { received: true, flags: 0 };
      assert.deepEqual(rows, [
        {
          ...common,
          driver_id: 'd1',
          device: 'phone',
          lat: 48.1635066,
          lon: -11.5643882,
          accuracy_m: 4.51,
          speed_mps: 13.92,
          heading_deg: 0,
          recorded: '05-04 23:59:59.999',
        },
        {
          ...common,
          driver_id: 'd1',
          device: 'phone',
          lat: -90,
          lon: 180,
          accuracy_m: null,
          speed_mps: null,
          heading_deg: null,
          recorded: '05-05 00:00:00.000',
        },
        {
          ...common,
          flags: 2,
          driver_id: 'd2',
          device: 'tablet',
          lat: 0,
          lon: 0.00001,
          accuracy_m: 0,
          speed_mps: 0,
          heading_deg: 0,
          recorded: '03-29 01:30:00.250',
        },
      ]);
      assert.deepEqual(await countPartitions(data.db), { count: 3, oldestDay: '2026-03-29' });
      const tables = await data.sql(`select relname from pg_class where relkind in ('r', 'p') and relname like '%ping%'
        and relnamespace = 'tracking'::regnamespace order by 1`);
      assert.deepEqual(
        tables.map(({ relname }) => relname),
        ['', '_20260329', '_20260504', '_20260505'].map((end) => `driver_location_pings${end}`).concat('ping_tracks'),
      );
      // What was moved is known, and its day goes on.
      const again: Fix = { ...phone, recordedAt: '2026-05-04T23:59:59.999Z', lat: 48.1635066, lon: -11.5643882 };
      const next: Fix = { ...phone, recordedAt: '2026-05-04T08:00:00.000Z', lat: 48, lon: 11 };
      assert.equal((await storeFixes(data.db, [again, next])).stored, 1);
    } finally {
      await data.stop();
    }
  });
});
