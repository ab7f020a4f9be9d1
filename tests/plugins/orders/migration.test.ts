import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { listOrders } from '../../../plugins/orders/store/list.ts';
import { findOrderWithHistory } from '../../../plugins/orders/store/orders.ts';
import { createPluginDatabase } from '../support/plugin-database.ts';
import { toBooking } from './booking-fixture.ts';

describe('migrations of orders', () => {
  it('keep the orders that are there, their items as parcels, and their history', async () => {
    const data = await createPluginDatabase('orders');
    const folder = new URL('../../../plugins/orders/migrations/', import.meta.url);
    const run = async (files: readonly string[]): Promise<void> => {
      for (const file of files) await data.sql(readFileSync(new URL(file, folder), 'utf8'));
    };
    const files = readdirSync(folder).toSorted();
    try {
      await data.sql('drop schema orders cascade');
      await data.sql('create schema orders');
      await run(files.slice(0, 2));
      const { pickup, destination } = toBooking();
      const ids = ['01a204f9-41f0-7423-8dd5-d3e55a9f64a8', '01a204f9-41f0-7423-8dd5-d3e55a9f64a9'];
      for (const [index, status] of ['completed', 'scheduled'].entries()) {
        const items = [
          { description: 'Shoes', quantity: 2 },
          { description: 'Hat', quantity: index + 1 },
        ];
        await data.sql(
          `insert into orders (order_id, reference, content_hash, created_by_role, created_by, customer_id, driver_id, status,
            pickup, window_start, window_end, items, destination, amount_minor, currency, version)
          values ($1, $2, 'x', 'customer', 'c1', 'c1', $3, $4, $5, now(), now() + interval '1 hour', $6, $7, 690, 'EUR', 2)`,
          [
            ids[index],
            `ref-7${index}`,
            index === 0 ? 'd1' : null,
            status,
            JSON.stringify(pickup),
            JSON.stringify(items),
            JSON.stringify(destination),
          ],
        );
        await data.sql(
          `insert into order_history (order_id, sequence, from_status, to_status, actor_kind, actor_id) values
          ($1, 1, null, 'created', 'customer', 'c1'), ($1, 2, 'created', $2, 'system', 'drivers')`,
          [ids[index], index === 0 ? 'assigned' : 'scheduled'],
        );
      }
      await run(files.slice(2));
      const found = await Promise.all(ids.map((id) => findOrderWithHistory(data.db, id)));
      assert.deepEqual(
        found.map((one) => one?.order.parcels.map(({ description }) => description)),
        [
          ['Shoes', 'Shoes', 'Hat'],
          ['Shoes', 'Shoes', 'Hat', 'Hat'],
        ],
      );
      const codes = found.flatMap((one) => one?.order.parcels.map(({ code }) => code) ?? []);
      assert.equal(new Set(codes).size, 7);
      for (const code of codes) assert.match(code, /^RP[0-9A-F]{12}$/);
      assert.deepEqual(
        found.map((one) => [one?.order.status, one?.order.attempt, one?.history.length]),
        [
          ['completed', 1, 2],
          ['scheduled', 1, 2],
        ],
      );
      const rows = await data.sql(
        'select parcel_count, assignment_sequence, assigned_at is not null as assigned from orders order by order_id',
      );
      assert.deepEqual(rows, [
        { parcel_count: 3, assignment_sequence: 1, assigned: true },
        { parcel_count: 4, assignment_sequence: 0, assigned: false },
      ]);
      for (const text of ["'ref':* & '71':*", `'${codes[6]?.toLowerCase()}':*`]) {
        const [only, ...others] = await listOrders(data.db, { text, limit: 5 });
        assert.deepEqual([only?.order.orderId, others.length], [ids[1], 0], text);
      }
    } finally {
      await data.stop();
    }
  });
});
