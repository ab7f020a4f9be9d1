import type { Queryable, Statement } from '#plugin-api';
import { createFreeDrivers } from '../../plugins/drivers/free-drivers.ts';
import { startTestServer } from '../support/test-server.ts';
import type { BenchResult } from './report.ts';

const drivers = 5000;
const wanted = 20;
const seconds = 5;
const parameters = { positionAgeMaxSeconds: 86_400, parcelVolumeL: 20, indexMs: 1000 };

// What a search without an index in the plugin is: everybody's distance, by the same formula, and the nearest.
const nearest: Statement = {
  name: 'list_nearest_drivers',
  text: `with loads as (
      select driver_id, count(*) as orders, sum(parcels) as parcels from driver_assignments
      where status in ('assigned', 'accepted') group by driver_id)
    select d.driver_id, 2 * 6371008.8 * asin(sqrt(least(1,
        power(sin(radians(p.lat - $1) / 2), 2)
        + cos(radians($1)) * cos(radians(p.lat)) * power(sin(radians(p.lon - $2) / 2), 2)))) as distance_m
    from drivers d join tracking.driver_position p on p.driver_id = d.driver_id
      left join loads l on l.driver_id = d.driver_id
    where d.on_shift and not d.on_break and coalesce(l.orders, 0) < 5 and p.recorded_at > now() - interval '1 day'
    order by distance_m limit ${wanted}`,
};

/**
 * Searches for the drivers nearest to a pickup among 5,000 free ones, one after the other: in H3 cells that are loaded anew
 * each second, and by a statement for each search.
 */
export async function benchCandidates(): Promise<BenchResult> {
  const server = await startTestServer();
  process.env['RETURNIT_TEST_DATABASE_URL'] = server.url;
  // Now, and not before: it looks for the server when it is loaded.
  const { createPluginDatabase } = await import('../plugins/support/plugin-database.ts');
  const data = await createPluginDatabase('drivers', 'tracking');
  try {
    await fill(data.sql);
    const free = createFreeDrivers({ settings: parameters, now: () => performance.now() });
    const loads: number[] = [];
    const timed: Queryable = {
      async query(statement, values) {
        const beganAt = performance.now();
        const result = await data.db.query(statement, values);
        loads.push(performance.now() - beganAt);
        return result as never;
      },
    };
    const first = performance.now();
    await free.recent(timed);
    const firstLoadMs = performance.now() - first;
    const ours = await perSecond(async (lat, lon) => {
      const { index } = await free.recent(timed);
      const search = { count: wanted, distanceMaxM: 100_000, isWanted: () => true };
      if (index.nearest({ lat, lon }, search).length !== wanted) throw new Error('not all were found');
    });
    const baseline = await perSecond(async (lat, lon) => {
      if ((await data.db.query(nearest, [lat, lon])).rowCount !== wanted) throw new Error('not all were found');
    });
    const pictures = loads.length / 2;
    return {
      bench: 'candidates',
      unit: 'searches/s',
      ours,
      baseline,
      ratio: ours / baseline,
      figures: {
        drivers,
        'first load with cells, ms': firstLoadMs,
        'query of a load, ms': loads.reduce((sum, ms) => sum + ms, 0) / Math.max(1, pictures),
        'searches until a load is paid for': firstLoadMs / (1000 / baseline),
      },
    };
  } finally {
    await data.stop();
    await server.stop();
  }
}

async function fill(sql: (text: string, values?: unknown[]) => Promise<unknown>): Promise<void> {
  await sql(
    `insert into drivers (driver_id, name, vehicle, on_shift, status)
      select 'd' || n, 'x', 'van', true, 'approved' from generate_series(1, $1::int) n`,
    [drivers],
  );
  // A city of 40 by 30 km.
  await sql(
    `insert into tracking.newest_positions (driver_id, device, recorded_at, lat, lon)
      select 'd' || n, 'x', now(), 48 + random() * 0.36, 11.3 + random() * 0.4 from generate_series(1, $1::int) n`,
    [drivers],
  );
  await sql(`insert into driver_assignments (order_id, customer_id, status, driver_id, pickup_lat, pickup_lon, window_end)
    select 'o' || n, 'c', 'accepted', 'd' || n, 48, 11, now() from generate_series(1, 2500) n`);
  await sql('analyze');
}

async function perSecond(search: (lat: number, lon: number) => Promise<void>): Promise<number> {
  const endsAt = performance.now() + seconds * 1000;
  let searches = 0;
  for (; performance.now() < endsAt; searches += 1) {
    await search(48 + Math.random() * 0.36, 11.3 + Math.random() * 0.4);
  }
  return searches / seconds;
}
