import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { listStops, type Stop } from '../../../plugins/tracking/store/stops.ts';
import { nodesOf, type Plan } from '../support/plan.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';

const orders = 20_000;
const drivers = 500;

describe('the plan of the query for the stops of drivers', () => {
  let data: PluginDatabase;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders');
    // As the platform publishes it.
    await data.sql('alter view orders.order_stops set (security_barrier = true)');
    // Each driver has one, and all others have just been completed.
    await data.sql(`insert into orders.orders (order_id, content_hash, created_by_role, created_by, customer_id, driver_id,
        status, pickup, window_start, window_end, destination, amount_minor, currency)
      select gen_random_uuid(), 'x', 'customer', 'c', 'c', 'd' || n % ${drivers},
        case when n <= ${drivers} then 'assigned' else 'completed' end, '{"lat": 48, "lon": 11}', now(),
        now() + interval '1 hour', '{"address": {"lat": 48, "lon": 11}}', 1, 'EUR' from generate_series(1, ${orders}) n`);
    await data.sql(`insert into orders.order_history (order_id, sequence, to_status, actor_kind, actor_id)
      select order_id, n, case n when 5 then 'picked_up' else 'created' end, 'ops', 'o'
      from orders.orders, generate_series(1, 5) n`);
    await data.sql(`insert into tracked_orders (order_id, driver_id, status)
      select order_id, driver_id, case status when 'assigned' then 'active' else 'closed' end from orders.orders`);
    await data.sql(`insert into stop_visits (order_id, stop, driver_id, arrived_at, departed_at)
      select order_id, 'pickup', driver_id, now(), now() from tracked_orders where status = 'closed'`);
    // Its id is none of the orders'.
    await data.sql(`insert into tracked_orders (order_id, driver_id, status) values ('elsewhere', 'd1', 'active')`);
    await data.sql('analyze');
  });
  after(() => data.stop());

  it('reads the orders of these drivers alone', async () => {
    const asked = Array.from({ length: 20 }, (_, n) => `d${n}`);
    const plans: Plan[] = [];
    let stops: readonly Stop[] = [];
    await data.db.transaction(async (tx) => {
      for (const mode of ['force_custom_plan', 'force_generic_plan']) {
        await tx.query({ name: 'set_mode', text: `select set_config('plan_cache_mode', $1, true)` }, [mode]);
        stops = await listStops(
          {
            async query(statement, values = []) {
              const { rows } = await tx.query<{ 'QUERY PLAN': readonly { Plan: Plan }[] }>(
                { name: `explain_${mode}`, text: `explain (format json) ${statement.text}` },
                values,
              );
              const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
              assert.ok(plan);
              plans.push(plan);
              return tx.query(statement, values);
            },
          },
          asked,
        );
      }
    });
    // Each is on the way to a pickup and a destination.
    assert.equal(stops.length, 2 * asked.length);
    assert.equal(plans.length, 2);
    for (const plan of plans) {
      const whole = nodesOf(plan).filter((node) => node['Node Type'] === 'Seq Scan');
      assert.deepEqual(
        whole.map((node) => node['Relation Name']),
        [],
      );
    }
  });
});
