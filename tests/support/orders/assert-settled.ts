import assert from 'node:assert/strict';
import type { Rig } from '../ingest/rig.ts';
import { until } from '../until.ts';
import { orderOf, type Journey } from './steps.ts';

const quietMaxMs = 240_000;

/** Nothing is left to do: no row of the outbox, no job that could run, and none that nobody can do. */
async function assertNothingStuck(rig: Rig): Promise<void> {
  const open = (): Promise<readonly { name: string; state: string; count: number }[]> =>
    rig.database.with(async (client) => {
      const { rows } = await client.query<{ name: string; state: string; count: number }>(
        `select name, state::text, count(*)::int as count from pgboss.job
        -- What is sent for later is no work now: an offer's end, a cron job.
        where state < 'completed' and not (state = 'created' and start_after > now()) group by 1, 2
        union all select 'outbox', kind, count(*)::int from returnit.outbox group by 2`,
      );
      return rows;
    });
  await until('no work is left', async () => (await open()).length === 0, quietMaxMs).catch(async (error: unknown) => {
    throw new Error(`work is stuck: ${JSON.stringify(await open())}`, { cause: error });
  });
}

interface Money {
  readonly state: string;
  readonly amountMinor: number;
  readonly capturedMinor: number;
}

/** What the provider itself has in its books. */
async function moneyOf(rig: Rig, orderId: string): Promise<readonly Money[]> {
  return rig.database.with(async (client) => {
    const { rows } = await client.query<Money>(
      `select state, amount_minor as "amountMinor", captured_minor as "capturedMinor"
      from payments.sandbox_payments where order_id = $1`,
      [orderId],
    );
    return rows;
  });
}

async function assertMoney(
  rig: Rig,
  { orderId }: Journey,
  order: { status: string; amountMinor: number },
): Promise<void> {
  const agrees = async (): Promise<boolean> => {
    const books = await moneyOf(rig, orderId);
    if (books.length !== 1) return false;
    const [{ state, capturedMinor } = { state: '', capturedMinor: -1 }] = books;
    if (order.status === 'completed') return state === 'captured' && capturedMinor === order.amountMinor;
    // Free until a driver was assigned, a fee afterwards.
    return state === 'voided' || (state === 'captured' && capturedMinor < order.amountMinor);
  };
  await until(`money and state of ${orderId} agree`, agrees, quietMaxMs).catch(async (error: unknown) => {
    throw new Error(`order is ${JSON.stringify(order)}, its money ${JSON.stringify(await moneyOf(rig, orderId))}`, {
      cause: error,
    });
  });
}

async function assertLegal(rig: Rig, journey: Journey): Promise<{ status: string; amountMinor: number }> {
  const order = await orderOf(rig, journey);
  let before: string | null = null;
  for (const { from, to } of order.history ?? []) {
    assert.equal(from, before, `the history of ${journey.orderId} has a gap: ${JSON.stringify(order.history)}`);
    before = to;
  }
  assert.equal(before, order.status);
  assert.ok(['completed', 'cancelled'].includes(order.status));
  if (order.status === 'completed') assert.equal(order.driverId, journey.driverId);
  return { status: order.status, amountMinor: order.price.amountMinor };
}

/** A ledger that sums to zero, no message twice, no driver for an order that is over. */
async function assertBooks(rig: Rig, orderIds: readonly string[]): Promise<void> {
  await rig.database.with(async (client) => {
    const { rows: sums } = await client.query<{ currency: string; sum: string }>(
      'select currency, sum(amount_minor) as sum from payments.ledger_entries group by 1 having sum(amount_minor) <> 0',
    );
    assert.deepEqual(sums, [], 'the ledger sums to zero');
    const { rows: told } = await client.query<{ order_id: string; template: string; channel: string; count: number }>(
      `select order_id, template, channel, count(*)::int as count from notifications.notifications
      where order_id = any($1) and template not in ('driver.offered', 'driver.unavailable')
      group by order_id, recipient_id, template, channel having count(*) > 1`,
      [orderIds],
    );
    assert.deepEqual(told, [], 'each message is sent once');
    const { rows: carried } = await client.query(
      `select order_id, status from drivers.driver_assignments where order_id = any($1) and status in ('assigned', 'accepted')`,
      [orderIds],
    );
    assert.deepEqual(carried, [], 'nobody carries an order that is over');
    const { rows: dead } = await client.query(`select name, data, output from pgboss.job where name like '%.dead'`);
    assert.deepEqual(dead, [], 'no job was given up');
  });
}

/** Every one of these orders has ended as it may, and so has all that belongs to it. */
export async function assertSettled(rig: Rig, journeys: readonly Journey[]): Promise<void> {
  await assertNothingStuck(rig);
  for (const journey of journeys) await assertMoney(rig, journey, await assertLegal(rig, journey));
  await assertNothingStuck(rig);
  await assertBooks(
    rig,
    journeys.map(({ orderId }) => orderId),
  );
}
