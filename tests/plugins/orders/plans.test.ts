import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Queryable, QueryResult, SqlValue, Statement } from '#plugin-api';
import { deleteDocument, listDocuments, readPart } from '../../../plugins/orders/documents/store.ts';
import { findGiven, listProofs } from '../../../plugins/orders/proofs/store.ts';
import { findOrderByReference } from '../../../plugins/orders/store/bookings.ts';
import { listOrders, type OrderFilter } from '../../../plugins/orders/store/list.ts';
import { findOrderWithHistory, listAbandoned, lockOrder } from '../../../plugins/orders/store/orders.ts';
import { findQuote, insertQuote } from '../../../plugins/orders/store/quotes.ts';
import { listRoom, releasePlace, takePlace } from '../../../plugins/orders/store/windows.ts';
import { nodesOf, type Plan } from '../support/plan.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';

type Explained = QueryResult<{ readonly 'QUERY PLAN': readonly { readonly Plan: Plan }[] }>;

const indexesOf = (plan: Plan): string[] =>
  nodesOf(plan).flatMap((node) => (node['Index Name'] === undefined ? [] : [node['Index Name']]));

const orders = 30_000;
const firstDay = '2026-05-01T00:00:00Z';

describe('plans of the queries on orders', () => {
  let data: PluginDatabase;
  before(async () => {
    data = await createPluginDatabase('orders');
    // Half a minute apart, over ten days; nearly all are completed, as in life.
    await data.sql(`insert into orders (order_id, content_hash, created_by_role, created_by, reference, customer_id,
        partner_id, driver_id, status, pickup, window_start, window_end, destination, amount_minor, currency, created_at,
        search_text)
      select gen_random_uuid(), 'x', 'customer', 'c' || n % 2000, 'r' || n, 'c' || n % 2000, 'p' || n % 300,
        'd' || n % 1000, case when n % 500 = 0 then 'scheduled' else 'completed' end, '{}', now(), now() + interval '1 hour',
        '{}', 1, 'EUR', '${firstDay}'::timestamptz + n * interval '30 seconds', 'shop ' || n || ' rp' || md5(n::text)
      from generate_series(1, ${orders}) n`);
    await data.sql(`insert into order_parcels (code, order_id, position, description)
      select 'RP' || order_id, order_id, 1, 'x' from orders`);
    await data.sql(`insert into order_history (order_id, sequence, to_status, actor_kind, actor_id)
      select order_id, n, 'created', 'ops', 'o' from orders, generate_series(1, 2) n`);
    await data.sql(`insert into pickup_windows (area, starts_at)
      select 'a' || n % 100, '${firstDay}'::timestamptz + n / 100 * interval '2 hours' from generate_series(1, 20000) n`);
    await data.sql(`insert into quotes (quote_id, created_by_role, created_by, content, price, expires_at)
      select gen_random_uuid(), 'customer', 'c1', '{}', '{}', now() + n * interval '1 second' from generate_series(1, 20000) n`);
    await data.sql(`insert into order_documents (document_id, order_id, kind, attempt, content_type, bytes, sha256,
        uploaded_by_kind, uploaded_by)
      select order_id, order_id, 'label', 1, 'application/pdf', 1, repeat('0', 64), 'customer', 'c1' from orders`);
    await data.sql(`insert into order_document_parts (document_id, part, content)
      select order_id, 0, '\\x00' from orders`);
    await data.sql(`insert into order_proofs (order_id, stage, attempt, given_by_kind, given_by, recorded_at)
      select order_id, 'pickup', 1, 'driver', 'd1', now() from orders`);
    await data.sql(`insert into order_places (order_id, area, starts_at)
      select order_id, 'elsewhere', '${firstDay}' from orders where status = 'completed'`);
    await data.sql('analyze');
  });
  after(() => data.stop());

  /** Indexes by which something was found so far. */
  const used = new Set<string>();

  /** The plans of the statement that `run` sends, by the values of this call alone (custom) and as it is kept for any (generic). */
  async function plans(run: (db: Queryable) => Promise<unknown>): Promise<readonly Plan[]> {
    const sent: { statement: Statement; values: readonly SqlValue[] }[] = [];
    const found: Plan[] = [];
    await data.db.transaction(async (tx) => {
      await run({
        query(statement, values = []) {
          sent.push({ statement, values });
          return tx.query(statement, values);
        },
      });
      const [only, ...others] = sent;
      assert.ok(only !== undefined && others.length === 0, `${sent.length} statements`);
      for (const mode of ['force_custom_plan', 'force_generic_plan']) {
        await tx.query({ name: 'set_mode', text: `select set_config('plan_cache_mode', $1, true)` }, [mode]);
        const name: string = `explain_${mode}_${only.statement.name}`;
        // It is not run again: what it has inserted is there.
        const { rows }: Explained = await tx.query(
          { name, text: `explain (format json) ${only.statement.text}` },
          only.values,
        );
        const plan: Plan | undefined = rows[0]?.['QUERY PLAN'][0]?.Plan;
        assert.ok(plan);
        found.push(plan);
      }
    });
    return found;
  }

  const assertReadsBy = async (index: string, run: (db: Queryable) => Promise<unknown>): Promise<void> => {
    for (const plan of await plans(run)) {
      assert.ok(indexesOf(plan).includes(index), `${index} is not in ${JSON.stringify(indexesOf(plan))}`);
      for (const each of indexesOf(plan)) used.add(each);
      const whole = nodesOf(plan).filter(
        (node) => node['Node Type'] === 'Seq Scan' && node['Relation Name'] !== 'proof_requirements',
      );
      assert.deepEqual(whole, []);
    }
  };
  const before10 = { createdAt: '2026-05-10T00:00:00.000000Z', orderId: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };
  const list = (filter: Omit<OrderFilter, 'limit'>) => (db: Queryable) => listOrders(db, { limit: 21, ...filter });

  for (const [index, what, filter] of [
    ['idx_orders_status_created', 'a status', { status: 'scheduled' }],
    ['idx_orders_status_created', 'a status and a time', { status: 'scheduled', from: '2026-05-03T00:00:00Z' }],
    ['idx_orders_status_created', 'a later page of a status', { status: 'scheduled', before: before10 }],
    ['orders_by_creation', 'nothing', {}],
    ['orders_by_creation', 'a time', { from: '2026-05-03T00:00:00Z', to: '2026-05-03T01:00:00Z' }],
    ['orders_by_creation', 'a later page', { before: before10 }],
    ['orders_by_customer', 'a customer', { customerId: 'c1' }],
    ['orders_by_customer', 'a later page of a customer', { customerId: 'c1', before: before10 }],
    ['orders_by_partner', 'a partner', { partnerId: 'p1' }],
    ['orders_by_driver', 'a driver', { driverId: 'd1' }],
    ['orders_by_driver', 'a driver and a time', { driverId: 'd1', from: '2026-05-03T00:00:00Z' }],
    ['orders_by_text', 'words', { text: "'rp1234':*" }],
    ['orders_by_text', 'words and a status', { text: "'rp1234':* & 'shop':*", status: 'completed' }],
    ['orders_by_customer', 'words of a customer', { text: "'shop':*", customerId: 'c1' }],
  ] as const) {
    it(`${index} finds orders by ${what}`, () => assertReadsBy(index, list(filter)));
  }

  it('orders_failed_pickups finds those that nobody has chosen a new time for', () =>
    assertReadsBy('orders_failed_pickups', (db) => listAbandoned(db, 259_200_000, 100)));

  it('idx_orders_status_created is the one that was asked for', async () => {
    const [row] = await data.sql(`select indexdef from pg_indexes where indexname = 'idx_orders_status_created'`);
    assert.match(String(row?.['indexdef']), /ON orders\.orders USING btree \(status, created_at\)$/);
  });

  it('reads no further than a page', async () => {
    for (const filter of [{}, { customerId: 'c1' }, { status: 'scheduled' as const }, { before: before10 }]) {
      const seen: Plan[] = [];
      await list(filter)({
        async query(statement, values = []) {
          const text = `explain (analyze, format json) ${statement.text}`;
          const { rows }: Explained = await data.db.query({ name: `analyze_${statement.name}`, text }, values);
          seen.push(...rows.flatMap((row) => row['QUERY PLAN'].map(({ Plan: plan }) => plan)));
          return { rows: [], rowCount: 0 };
        },
      });
      const scans = seen.flatMap(nodesOf).filter((node) => node['Relation Name'] === 'orders');
      assert.ok(scans.length > 0);
      for (const scan of scans) assert.ok((scan['Actual Rows'] ?? 0) <= 30, `read ${scan['Actual Rows']} rows`);
    }
  });

  it('finds one order, with parcels and history, by their keys', async () => {
    const [row] = await data.sql('select order_id from orders limit 1');
    const orderId = String(row?.['order_id']);
    const actor = { kind: 'customer', id: 'c1' } as const;
    await assertReadsBy('orders_pkey', (db) => lockOrder(db, orderId));
    await assertReadsBy('order_parcels_order_id_position_key', (db) => findOrderWithHistory(db, orderId));
    await assertReadsBy('order_history_pkey', (db) => findOrderWithHistory(db, orderId));
    await assertReadsBy('orders_created_by_role_created_by_reference_key', (db) =>
      findOrderByReference(db, actor, 'r1'),
    );
  });

  it('finds places in windows by their key', async () => {
    const [row] = await data.sql(`select order_id from orders where status = 'scheduled' limit 1`);
    const slots = ['2026-05-02T00:00:00.000Z', '2026-05-02T02:00:00.000Z'];
    const wanted = { area: 'a7', slots, capacityDefault: 5 };
    await assertReadsBy('pickup_windows_pkey', (db) => listRoom(db, wanted, { withRoomOnly: true, limit: 5 }));
    await assertReadsBy('pickup_windows_pkey', (db) => takePlace(db, String(row?.['order_id']), wanted));
  });

  it('finds the quotes that have expired by their index', async () => {
    const quote = { quoteId: '00000000-0000-7000-8000-000000000001', content: {}, price: {}, expiresAt: firstDay };
    await assertReadsBy('quotes_by_expiry', (db) => insertQuote(db, { kind: 'customer', id: 'c1' }, quote as never));
  });

  it('finds documents, proofs, quotes and the place of an order by their keys', async () => {
    const [row] = await data.sql(`select order_id from orders where status = 'completed' limit 1`);
    const orderId = String(row?.['order_id']);
    await assertReadsBy('order_documents_by_order', (db) => listDocuments(db, orderId));
    await assertReadsBy('order_document_parts_pkey', (db) => readPart(db, orderId, 0));
    await assertReadsBy('order_documents_pkey', (db) => deleteDocument(db, orderId));
    await assertReadsBy('order_proofs_pkey', (db) => listProofs(db, orderId));
    const question = { orderId, stage: 'pickup', attempt: 1, driverId: 'd1' } as const;
    await assertReadsBy('order_proofs_pkey', (db) => findGiven(db, question));
    await assertReadsBy('quotes_pkey', (db) => findQuote(db, { kind: 'customer', id: 'c1' }, orderId));
    await assertReadsBy('order_places_pkey', (db) => releasePlace(db, orderId));
  });

  it('has no index that nothing here uses', async () => {
    const indexes = await data.sql(`select indexname from pg_indexes where schemaname = 'orders'`);
    const unused = indexes.map(({ indexname }) => String(indexname)).filter((name) => !used.has(name));
    // A parcel's code is unique; lists and requirements are a handful of rows.
    assert.deepEqual(unused.toSorted(), ['order_parcels_pkey', 'price_lists_pkey', 'proof_requirements_pkey']);
  });
});
