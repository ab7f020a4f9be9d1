import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Queryable, SqlValue, Statement } from '#plugin-api';
import { fromTheNewest } from '../../../plugins/drivers/cursor.ts';
import { listActive, listAssignments } from '../../../plugins/drivers/store/assignments.ts';
import { listFreeDrivers, readFacts } from '../../../plugins/drivers/store/candidates.ts';
import { listUnasked } from '../../../plugins/drivers/store/deciding.ts';
import { listExpired, warnOfDocuments } from '../../../plugins/drivers/store/documents.ts';
import { readFigures } from '../../../plugins/drivers/store/figures.ts';
import { forgetHistories, forgetShifts } from '../../../plugins/drivers/store/history.ts';
import {
  closeOffersOfOrder,
  listOffers,
  listOpenOffers,
  listPassedOver,
  withdrawOffersOfDriver,
} from '../../../plugins/drivers/store/offers.ts';
import { endShifts, listShifts } from '../../../plugins/drivers/store/shifts.ts';
import { listForgotten, listSilent } from '../../../plugins/drivers/store/watching.ts';
import { nodesOf, type Plan } from '../support/plan.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';

/** A year of orders of which few are under way; many drivers with few of them on shift. */
describe("plans of the drivers' queries", () => {
  let data: PluginDatabase;
  before(async () => {
    data = await createPluginDatabase('drivers', 'tracking');
    await data.sql(`insert into drivers (driver_id, name, vehicle, status, on_shift)
      select 'd' || n, 'x', 'van', 'approved', n % 10 = 0 from generate_series(1, 3000) n`);
    await data.sql(`insert into tracking.newest_positions (driver_id, device, recorded_at, lat, lon)
      select driver_id, 'x', now(), 48, 11 from drivers where on_shift`);
    await data.sql(`insert into driver_assignments
        (order_id, customer_id, status, driver_id, pickup_lat, pickup_lon, window_end, waiting_since, ended_at, created_at)
      select 'o' || n, 'c', s.status,
        case when s.status in ('ended', 'assigned', 'accepted') then 'd' || (n % 3000 + 1) end, 48, 11, now(), now(),
        case when s.status = 'ended' then now() end, now() - n * interval '1 minute'
      from generate_series(1, 30000) n,
        lateral (select case n % 500 when 0 then 'waiting' when 1 then 'assigned' when 2 then 'accepted'
          when 3 then 'held' else 'ended' end as status) s`);
    await data.sql(`insert into driver_offers
        (offer_id, order_id, driver_id, attempt, round, state, distance_m, created_at, expires_at, closed_at)
      select gen_random_uuid(), 'o' || n, 'd' || (n % 3000 + 1), 1, 1, case when n % 500 = 0 then 'open' else 'lost' end, 5,
        now() - n * interval '1 minute', now() + interval '1 hour', case when n % 500 <> 0 then now() end
      from generate_series(1, 30000) n`);
    await data.sql(`insert into driver_shifts (driver_id, kind, started_at, started_by, ended_at, ended_by)
      select 'd' || (n % 3000 + 1), 'shift', now() - n * interval '1 hour', 'x',
        case when n > 3000 then now() - n * interval '1 hour' end, 'x' from generate_series(1, 30000) n`);
    await data.sql(`insert into driver_documents (driver_id, kind, number, expires_on, recorded_by)
      select driver_id, 'licence', '1', current_date + (row_number() over ())::int, 'x' from drivers`);
    await data.sql('analyze');
  });
  after(() => data.stop());

  /** Which indexes each table is read by in the custom and the generic plan of the one statement; `seq` where it is read whole. */
  async function scans(run: (db: Queryable) => Promise<unknown>): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const sent: { statement: Statement; values: readonly SqlValue[] }[] = [];
    // Explained alone, not executed: a deletion would change what the next test reads.
    await run({
      query(statement, values = []) {
        sent.push({ statement, values });
        return Promise.resolve({ rows: [{}] as never[], rowCount: 0 });
      },
    });
    const [only] = sent;
    assert.ok(only !== undefined && sent.length === 1, `${sent.length} statements`);
    const found = new Map<string, Set<string>>();
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      await data.db.transaction(async (tx) => {
        await tx.query({ name: 'set_mode', text: `select set_config('plan_cache_mode', $1, true)` }, [mode]);
        const text = `explain (format json) ${only.statement.text}`;
        const { rows } = await tx.query<{ 'QUERY PLAN': readonly { Plan: Plan }[] }>(
          { name: `explain_${mode}_${only.statement.name}`, text },
          only.values,
        );
        const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
        assert.ok(plan);
        for (const node of nodesOf(plan)) {
          const isWhole = node['Node Type'] === 'Seq Scan';
          if (node['Index Name'] === undefined && !isWhole) continue;
          // A bitmap's index scan does not name its table.
          const table = node['Relation Name'] ?? 'bitmap';
          found.set(table, (found.get(table) ?? new Set()).add(isWhole ? 'seq' : (node['Index Name'] ?? '')));
        }
      });
    }
    return found;
  }

  /** By one of these indexes, and nothing that grows with the years as a whole. */
  async function assertReads(run: (db: Queryable) => Promise<unknown>, ...by: readonly string[]): Promise<void> {
    const found = await scans(run);
    const all = [...found.values()].flatMap((names) => [...names]);
    assert.ok(
      by.some((name) => all.includes(name)),
      `${by.join(' or ')}: ${all.join(', ')}`,
    );
    for (const table of ['driver_assignments', 'driver_offers', 'driver_shifts', 'driver_documents']) {
      assert.ok(found.get(table)?.has('seq') !== true, `${table} is read whole`);
    }
  }

  const active = 'idx_driver_assignments_active';

  it('find what drivers carry by idx_driver_assignments_active', async () => {
    await assertReads((db) => listActive(db, 'd10'), active);
    await assertReads((db) => readFacts(db, ['d10', 'd20'], 20), active);
    const page = { positionAgeMaxSeconds: 300, parcelVolumeL: 20, after: '', limit: 5000 };
    // All of them together are as near by their status.
    await assertReads((db) => listFreeDrivers(db, page), active, 'idx_driver_assignments_status_created');
    await assertReads(
      (db) => listSilent(db, { silentSeconds: 900, limit: 100 }),
      active,
      'idx_driver_assignments_status_created',
    );
  });

  it('find what waits by idx_driver_assignments_waiting', async () => {
    for (const run of [
      (db: Queryable) => listUnasked(db, { limit: 50, offersAtOnce: 1 }),
      (db: Queryable) => listForgotten(db, { seconds: 60, limit: 50 }),
      readFigures,
    ]) {
      // By their status they are as near: which it is depends on the rows that the statistics happen to be made of.
      await assertReads(run, 'idx_driver_assignments_waiting', 'idx_driver_assignments_status_created');
    }
  });

  it('read pages for ops by idx_driver_assignments_status_created, without sorting', async () => {
    const before = fromTheNewest('text');
    const by = 'idx_driver_assignments_status_created';
    for (const status of ['ended', 'held'] as const) {
      await assertReads((db) => listAssignments(db, { status, before, limit: 21 }), by);
    }
  });

  it('find open offers by partial indexes, and pages of offers by order and driver', async () => {
    await assertReads((db) => listOpenOffers(db, 'd10'), 'driver_offers_open_of_driver');
    await assertReads((db) => withdrawOffersOfDriver(db, 'd10', 'off_shift'), 'driver_offers_open_of_driver');
    const closing = { state: 'lost', reason: 'taken' } as const;
    await assertReads((db) => closeOffersOfOrder(db, 'o500', closing), 'driver_offers_open');
    const page = { before: fromTheNewest('uuid'), limit: 21 };
    await assertReads((db) => listOffers(db, { kind: 'order', id: 'o500' }, page), 'driver_offers_of_order');
    await assertReads((db) => listOffers(db, { kind: 'driver', id: 'd10' }, page), 'driver_offers_of_driver');
    await assertReads(
      (db) => listPassedOver(db, { orderId: 'o500', attempt: 1, reofferSeconds: 300 }),
      'driver_offers_of_order',
    );
  });

  it('find shifts, documents and what is over by their indexes', async () => {
    await assertReads(
      (db) => endShifts(db, { driverId: 'd10', kinds: ['shift', 'break'], by: 'x' }),
      'driver_shifts_open',
    );
    const shifts = { driverId: 'd10', before: fromTheNewest('text'), limit: 21 };
    await assertReads((db) => listShifts(db, shifts), 'driver_shifts_pkey');
    const longAgo = new Date(Date.now() - 4 * 365 * 86_400_000);
    await assertReads((db) => forgetShifts(db, longAgo, 1000), 'driver_shifts_ended');
    await assertReads((db) => forgetHistories(db, longAgo, 1000), 'idx_driver_assignments_ended');
    const today = new Date().toISOString().slice(0, 10);
    const warning = { today, days: 30, limit: 200 };
    await assertReads((db) => warnOfDocuments(db, warning), 'driver_documents_by_expiry');
    const expired = { today, required: ['licence'] as const, after: '', limit: 200 };
    const found = await scans((db) => listExpired(db, expired));
    assert.ok(found.get('driver_documents')?.has('seq') !== true);
  });

  it('have no index that nothing here uses', async () => {
    const indexes = await data.sql(`select indexname from pg_indexes where schemaname = 'drivers' order by 1`);
    const names = indexes.map(({ indexname }) => String(indexname));
    assert.deepEqual(
      names.filter((name) => !name.endsWith('_pkey') && !name.endsWith('_key')),
      [
        'driver_documents_by_expiry',
        'driver_offers_of_driver',
        'driver_offers_of_order',
        'driver_offers_open',
        'driver_offers_open_of_driver',
        'driver_shifts_ended',
        'driver_shifts_open',
        'drivers_on_shift',
        'idx_driver_assignments_active',
        'idx_driver_assignments_ended',
        'idx_driver_assignments_status_created',
        'idx_driver_assignments_waiting',
      ],
    );
    const onShift = await scans((db) =>
      listFreeDrivers(db, { positionAgeMaxSeconds: 300, parcelVolumeL: 20, after: '', limit: 5000 }),
    );
    assert.ok([...onShift.values()].some((each) => each.has('drivers_on_shift')));
  });
});
