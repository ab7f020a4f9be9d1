import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Pool } from 'pg';
import { createTestDatabase } from '../../support/postgres.ts';

const folder = new URL('../../../plugins/drivers/migrations/', import.meta.url);

describe('the migrations after the first three', () => {
  let pool: Pool;
  let drop: () => Promise<void>;
  before(async () => {
    const database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url, max: 1, options: '-c search_path=drivers' });
    drop = database.drop;
    await pool.query('create schema drivers');
  });
  after(async () => {
    await pool.end();
    await drop();
  });

  const migrate = async (isWanted: (file: string) => boolean): Promise<void> => {
    for (const file of readdirSync(folder).toSorted().filter(isWanted)) {
      await pool.query(readFileSync(new URL(file, folder), 'utf8'));
    }
  };
  const rows = async (text: string): Promise<unknown[]> => (await pool.query(text)).rows as unknown[];

  it('keep drivers, shifts and assignments as they were', async () => {
    await migrate((file) => file < '0004');
    await pool.query(`insert into drivers (driver_id, name, vehicle, on_shift, shift_changed_at) values
      ('d1', 'Kim', 'van', true, '2026-05-04T08:00:00Z'), ('d2', 'Lou', 'bicycle', false, null)`);
    await pool.query(`insert into assignments
      (order_id, customer_id, status, driver_id, pickup_lat, pickup_lon, window_end, created_at, ended_at) values
      ('waiting', 'c', 'waiting', null, 48, 11, now(), '2026-05-04T08:00:00.123456Z', null),
      ('assigned', 'c', 'assigned', 'd1', 48, 11, now(), now(), null),
      ('expired', 'c', 'expired', null, 48, 11, now(), now(), null),
      ('ended', 'c', 'ended', 'd1', 48, 11, now(), now(), now()),
      ('unknown', null, 'ended', null, null, null, null, now(), now())`);
    await migrate((file) => file >= '0004');
    // They were given orders without being asked, and their phones know of no offers.
    assert.deepEqual(await rows('select driver_id, status, auto_accept from drivers order by 1'), [
      { driver_id: 'd1', status: 'approved', auto_accept: true },
      { driver_id: 'd2', status: 'approved', auto_accept: true },
    ]);
    assert.deepEqual(await rows('select driver_id, kind, started_at, ended_at from driver_shifts'), [
      { driver_id: 'd1', kind: 'shift', started_at: new Date('2026-05-04T08:00:00Z'), ended_at: null },
    ]);
    const assignments = await rows(
      'select order_id, status, driver_id, attempt, sequence, parcels from driver_assignments order by order_id',
    );
    assert.deepEqual(assignments, [
      { order_id: 'assigned', status: 'assigned', driver_id: 'd1', attempt: 1, sequence: 1, parcels: 1 },
      { order_id: 'ended', status: 'ended', driver_id: 'd1', attempt: 1, sequence: 1, parcels: 1 },
      { order_id: 'expired', status: 'expired', driver_id: null, attempt: 1, sequence: 0, parcels: 1 },
      { order_id: 'unknown', status: 'ended', driver_id: null, attempt: 1, sequence: 0, parcels: 1 },
      { order_id: 'waiting', status: 'waiting', driver_id: null, attempt: 1, sequence: 0, parcels: 1 },
    ]);
    const [waiting] = await rows(
      `select waiting_since = created_at as same from driver_assignments where status = 'waiting'`,
    );
    assert.deepEqual(waiting, { same: true });
    await assert.rejects(
      pool.query(`insert into drivers (driver_id, name, vehicle) values ('d3', 'x', 'car')`),
      /status/,
    );
  });
});
