import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Database, Line, Principal } from '#plugin-api';
import { bookBatch } from '../../../plugins/orders/bulk/bulk-flow.ts';
import { inBatches } from '../../../plugins/orders/bulk/in-batches.ts';
import type { BulkOrder, Verdict } from '../../../plugins/orders/bulk/verdict.ts';
import { plugin } from '../../../plugins/orders/plugin.ts';
import { readSettings } from '../../../plugins/orders/settings.ts';
import { until } from '../../support/until.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';
import { toBooking } from './booking-fixture.ts';

const partner: Principal = { id: 'p1', role: 'partner' };
const ops: Principal = { id: 'o1', role: 'ops' };

/** Within one slot, and the same for all: a booking that is sent again is the same. */
const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
const pickupWindow = { start: `${tomorrow}T09:00:00.000Z`, end: `${tomorrow}T09:45:00.000Z` };
const toOrder = (reference: string, changes: Partial<BulkOrder> = {}): BulkOrder => ({
  ...toBooking({ customerId: 'c1', pickupWindow }),
  reference,
  ...changes,
});
/** What comes of them, and then this failure. */
async function* toLines(
  orders: readonly (BulkOrder | Line['line'])[],
  failure?: Error,
): AsyncGenerator<Line<BulkOrder>> {
  for (const [index, value] of orders.entries()) {
    if (typeof value !== 'number') yield { line: index + 1, value };
    else yield { line: index + 1, problem: { status: value, code: 'VALIDATION_FAILED', title: 'Wrong' } };
  }
  if (failure !== undefined) throw failure;
}
const failure = (code: string): Error => Object.assign(new Error(`because of ${code}`), { code });

describe('POST /orders/bulk', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('orders');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate orders, pickup_windows cascade');
    running = await start();
  });

  const start = (env: Readonly<Record<string, string>> = {}, db: Database = data.db): Promise<RunningPlugin> =>
    runPlugin(plugin, db, env);
  const post = (lines: AsyncIterable<Line<BulkOrder>>, principal = partner, query = {}): Promise<Reply> =>
    running.request('POST /orders/bulk', { principal, query, body: lines });
  const verdictsOf = ({ text = '' }: Reply): Verdict[] =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Verdict);
  const book = async (...args: Parameters<typeof post>): Promise<Verdict[]> => verdictsOf(await post(...args));
  const told = (verdicts: readonly Verdict[]): string[] =>
    verdicts.map(({ line, status, problem }) =>
      [line, status, ...(problem === undefined ? [] : [problem.code])].join(' '),
    );
  const references = async (): Promise<unknown[]> =>
    (await data.sql('select reference from orders order by reference')).map(({ reference }) => reference);

  it('tells of each line in its order what became of it, and no bad line costs a good one', async () => {
    const zero = { ...toBooking().pickup, lat: 0, lon: 0 };
    const orders = [toOrder('a'), 422, toOrder('b', { pickup: zero }), toOrder('c'), toOrder('a')];
    const verdicts = await book(toLines([...orders, toOrder('a', { notes: 'other' })]));
    assert.deepEqual(told(verdicts), [
      '1 created',
      '2 rejected VALIDATION_FAILED',
      '3 rejected ORDER_ADDRESS_INVALID',
      '4 created',
      '5 repeated',
      '6 rejected ORDER_REFERENCE_CONFLICT',
    ]);
    assert.deepEqual(await references(), ['a', 'c']);
    assert.equal(verdicts[0]?.orderId, verdicts[4]?.orderId);
    assert.equal(verdicts[2]?.reference, 'b');
    assert.equal(
      data.find('order.created').filter(({ data: { orderId } }) => orderId === verdicts[0]?.orderId).length,
      1,
    );
    for (const [status, count] of Object.entries({ created: 2, repeated: 1, rejected: 3 }))
      assert.equal(running.counted('returnit_orders_bulk_lines_total', { status }), count);
    assert.equal(running.counted('returnit_orders_booked_total', { outcome: 'accepted' }), 2);
    assert.equal(running.counted('returnit_orders_bulk_batches_total', { outcome: 'together' }), 1);
    assert.equal(running.counted('returnit_orders_bulk_requests_total', { outcome: 'complete' }), 1);
  });

  it('can be sent again: every order is there once, also when both are sent at once', async () => {
    const orders = Array.from({ length: 60 }, (_, index) => toOrder(`r${index}`));
    const [first, second] = await Promise.all([book(toLines(orders)), book(toLines(orders))]);
    const third = await book(toLines(orders));
    for (const verdicts of [first, second, third]) {
      assert.equal(verdicts.length, 60);
      assert.deepEqual(
        verdicts.map(({ orderId }) => orderId),
        third.map(({ orderId }) => orderId),
      );
    }
    assert.equal([...first, ...second].filter(({ status }) => status === 'created').length, 60);
    assert.ok(third.every(({ status }) => status === 'repeated'));
    assert.deepEqual(await data.sql('select count(*)::integer as count from orders'), [{ count: 60 }]);
  });

  it('books the other lines of a batch in which one finds no place in its window', async () => {
    running = await start({ ORDERS_WINDOW_CAPACITY: '2' });
    const orders = ['a', 'b', 'c', 'd'].map((reference) => toOrder(reference));
    const elsewhere = toOrder('e', { pickup: { ...toBooking().pickup, lat: 52.5, lon: 13.4 } });
    assert.deepEqual(told(await book(toLines([...orders, elsewhere]))), [
      '1 created',
      '2 created',
      '3 rejected ORDER_WINDOW_FULL',
      '4 rejected ORDER_WINDOW_FULL',
      '5 created',
    ]);
    assert.deepEqual(await references(), ['a', 'b', 'e']);
    assert.deepEqual(await data.sql('select sum(taken)::integer as taken from pickup_windows'), [{ taken: 3 }]);
    assert.equal(running.counted('returnit_orders_bulk_batches_total', { outcome: 'apart' }), 1);
    assert.equal(running.counted('returnit_orders_booked_total', { outcome: 'accepted' }), 3);
    assert.equal(running.counted('returnit_orders_booked_total', { outcome: 'rejected' }), 2);
  });

  /** The database as the core shows it, in which an insert of this reference fails so. */
  const failing = (reference: string, code: string): Database => ({
    ...data.db,
    transaction: (work) =>
      data.db.transaction((tx) =>
        work({
          ...tx,
          query(statement, values) {
            const fails = statement.name === 'insert_order' && values?.[1] === reference;
            return fails ? Promise.reject(failure(code)) : tx.query(statement, values);
          },
        }),
      ),
  });

  it('rejects a line of which the database takes nothing, and books the others', async () => {
    running = await start({}, failing('b', 'DATABASE_ERROR'));
    const verdicts = await book(toLines(['a', 'b', 'c'].map((reference) => toOrder(reference))));
    assert.deepEqual(told(verdicts), ['1 created', '2 rejected ORDER_LINE_FAILED', '3 created']);
    assert.equal(verdicts[1]?.reference, 'b');
    assert.deepEqual(await references(), ['a', 'c']);
    assert.ok(
      running.recorded.logs.some(({ level, message }) => level === 'error' && message.includes('line of a bulk')),
    );
  });

  it('breaks off when the database is gone: nobody is told of what is not there', async () => {
    running = await start({ ORDERS_BULK_BATCH_MAX: '2' }, failing('d', 'DATABASE_UNREACHABLE'));
    await assert.rejects(post(toLines(['a', 'b', 'c', 'd', 'e'].map((reference) => toOrder(reference)))), {
      code: 'DATABASE_UNREACHABLE',
    });
    assert.deepEqual(await references(), ['a', 'b', 'c']);
    assert.equal(running.counted('returnit_orders_bulk_requests_total', { outcome: 'broken_off' }), 1);
    running = await start();
    const again = await book(toLines(['a', 'b', 'c', 'd', 'e'].map((reference) => toOrder(reference))));
    assert.deepEqual(
      again.map(({ status }) => status),
      ['repeated', 'repeated', 'repeated', 'created', 'created'],
    );
  });

  it('books what had come before the body could not be read on, and says so', async () => {
    const lines = (code: string) => toLines([toOrder('a'), toOrder('b')], failure(code));
    const verdicts = await book(lines('BODY_TOO_LARGE'));
    assert.deepEqual(told(verdicts), ['1 created', '2 created', '3 rejected BODY_TOO_LARGE']);
    assert.equal(verdicts[2]?.problem?.status, 413);
    assert.deepEqual(told(await book(lines('REQUEST_TIMEOUT'))).at(-1), '3 rejected REQUEST_TIMEOUT');
    await assert.rejects(post(lines('CANCELLED')), { code: 'CANCELLED' });
  });

  it('commits what it has when a batch takes long', async () => {
    let nowMs = Date.now();
    const lines = ['a', 'b', 'c', 'd', 'e'].map((reference, index) => ({ line: index + 1, value: toOrder(reference) }));
    const silent = (): void => undefined;
    const deps = {
      db: data.db,
      metrics: { increment: silent, set: silent, observe: silent },
      log: { debug: silent, info: silent, warn: silent, error: silent },
      settings: readSettings({}),
      // It is looked at about twice a line.
      now: () => (nowMs += 300),
    };
    const first = await bookBatch(deps, { principal: partner, traceId: 't', traceparent: undefined }, lines);
    assert.ok(first.length > 0 && first.length < lines.length, `${first.length} lines`);
    assert.equal((await references()).length, first.length);
  });

  it('is for a partner, or by ops for the partner that is named', async () => {
    assert.equal((await post(toLines([]), ops)).code, 'ORDER_PARTNER_INVALID');
    assert.equal((await post(toLines([]), partner, { partnerId: 'p2' })).code, 'ORDER_PARTNER_INVALID');
    const [byOps] = await book(toLines([toOrder('a')]), ops, { partnerId: 'p1' });
    const [byPartner] = await book(toLines([toOrder('a')]));
    assert.deepEqual([byOps?.status, byPartner?.status], ['created', 'repeated']);
    assert.equal(byOps?.orderId, byPartner?.orderId);
    assert.deepEqual(told(await book(toLines([toOrder('b', { customerId: undefined as never })]))), [
      '1 rejected ORDER_CUSTOMER_INVALID',
    ]);
  });

  it('runs ORDERS_BULKS_MAX times at once, and again when one has ended', async () => {
    running = await start({ ORDERS_BULKS_MAX: '1' });
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    async function* gated(): AsyncGenerator<Line<BulkOrder>> {
      await gate;
      yield* toLines([toOrder('a')]);
    }
    const first = book(gated());
    const busy = await post(toLines([toOrder('b')]));
    assert.deepEqual([busy.status, busy.code, busy.headers?.['retry-after']], [503, 'ORDER_BULK_BUSY', '10']);
    assert.equal(running.counted('returnit_orders_bulk_requests_total', { outcome: 'busy' }), 1);
    open();
    assert.deepEqual(told(await first), ['1 created']);
    assert.deepEqual(told(await book(toLines([toOrder('b')]))), ['1 created']);
  });
});

describe('inBatches()', () => {
  it('hands on what is there when no more comes soon, and a full batch at once', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    async function* items(): AsyncGenerator<number> {
      yield 1;
      await gate;
      yield* [2, 3, 4];
    }
    const batches: (readonly number[])[] = [];
    const done = (async () => {
      for await (const batch of inBatches(items(), { max: 2, waitMs: 1 })) batches.push(batch);
    })();
    await until('the first is handed on', () => batches.length === 1);
    open();
    await done;
    assert.deepEqual(batches, [[1], [2, 3], [4]]);
  });

  it('hands on what came before a failure', async () => {
    async function* items(): AsyncGenerator<number> {
      yield 1;
      throw new Error('no more');
    }
    const batches: (readonly number[])[] = [];
    await assert.rejects(async () => {
      for await (const batch of inBatches(items(), { max: 9, waitMs: 1000 })) batches.push(batch);
    }, /no more/);
    assert.deepEqual(batches, [[1]]);
  });
});
