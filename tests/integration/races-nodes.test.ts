/**
 * Two nodes on one database, and everybody at once: half of them asks the one, half the other. Rounds:
 * RETURNIT_RACE_ROUNDS, 1 unless set.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import * as pg from 'pg';
import type { Api, ApiAnswer, Problem } from '../support/api-client.ts';
import { book, bookingAt, near, orderReached, placeOf, type Order, type Place } from '../support/journey.ts';
import { paymentOf } from '../support/order-journey.ts';
import { patient } from '../support/patient.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { until } from '../support/until.ts';

const rounds = Number(process.env['RETURNIT_RACE_ROUNDS'] ?? 1);
const rivals = 200;
const patienceMs = 240_000;
const options = { timeout: 300_000 + rounds * 120_000 };
const place = placeOf(2);
const set = {
  DRIVERS_OFFERS_AT_ONCE: String(rivals),
  DRIVERS_CANDIDATES_MAX: String(rivals),
  DRIVERS_OFFER_SECONDS: '3600',
  DRIVERS_POSITION_AGE_SECONDS: '86400',
  DRIVERS_ORDERS_MAX: '100',
  DRIVERS_OPEN_OFFERS_MAX: '50',
};

/** What says that it could not be answered in time. */
const again: ReadonlySet<string> = new Set(['TIMEOUT', 'IDEMPOTENCY_IN_PROGRESS']);

/** As a careful client does: with a key, and again until it is answered. A slow machine does not decide who wins. */
async function ask(api: Api, path: string, body?: object): Promise<ApiAnswer<Problem>> {
  const request = { headers: { 'idempotency-key': randomUUID() }, ...(body === undefined ? {} : { body }) };
  for (const endMs = Date.now() + patienceMs; ;) {
    const answer = await api.request('POST', path, request);
    if (!again.has(answer.body.code) || Date.now() > endMs) return answer;
    await wait(150);
  }
}

/** How many were answered so: a refusal by its code, a success, whether it was done before or now, by its name. */
function counted(answers: readonly ApiAnswer<Problem>[], success: string): Record<string, number> {
  const groups = Map.groupBy(answers, ({ status, body }) => (status < 300 ? success : body.code));
  return Object.fromEntries([...groups].map(([name, group]) => [name, group.length]));
}

interface Offer {
  readonly offerId: string;
  readonly driverId: string;
}

describe(`${rivals} at once on two nodes, ${rounds} rounds`, { timeout: 600_000 + rounds * 480_000 }, () => {
  let database: TestDatabase;
  let client: pg.Client;
  let nodes: readonly TestPlatform[];
  let ops: readonly Api[];
  let drivers: readonly Api[];

  before(async () => {
    database = await createTestDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    Object.assign(process.env, set);
    const config = {
      databaseUrl: database.url,
      dbPoolMax: 40,
      plugins: ['orders', 'payments', 'drivers', 'tracking', 'notifications'],
      jobPollMs: 200,
      ...patient,
    };
    nodes = [await startPlatform({ config }), await startPlatform({ config })];
    ops = await Promise.all(nodes.map((node) => node.as('ops', 'operator')));
    drivers = await Promise.all(Array.from({ length: rivals }, (_, index) => apiOf('driver', `d${index + 1}`, index)));
    await addRivals();
  }, options);
  after(async () => {
    for (const name of Object.keys(set)) delete process.env[name];
    for (const node of nodes ?? []) await node.stop();
    await client?.end();
    await database?.drop();
  });

  /** Of each two callers one asks the one node, one the other. */
  const apiOf = (role: 'customer' | 'driver' | 'ops', subject: string, index: number): Promise<Api> => {
    const node = nodes[index % nodes.length];
    assert.ok(node !== undefined);
    return node.as(role, subject);
  };

  async function addRivals(): Promise<void> {
    await client.query(
      `insert into drivers.drivers (driver_id, name, vehicle, on_shift, status)
        select 'd' || n, 'x', 'van', true, 'approved' from generate_series(1, $1::int) n`,
      [rivals],
    );
    await client.query(
      `insert into tracking.newest_positions (driver_id, device, recorded_at, lat, lon)
        select 'd' || n, 'x', now(), $2, $3 from generate_series(1, $1::int) n`,
      [rivals, place.lat, place.lon],
    );
  }

  /** Booked, paid for and offered to everybody. */
  async function offered(customer: Api): Promise<{ readonly orderId: string; readonly offers: readonly Offer[] }> {
    const { orderId } = await book(customer, near(place, 1));
    const offers = await until(
      'everybody is asked',
      async () => {
        const { rows } = await client.query<Offer>(
          `select offer_id as "offerId", driver_id as "driverId" from drivers.driver_offers
            where order_id = $1 and state = 'open' order by driver_id`,
          [orderId],
        );
        return rows.length === rivals ? rows : undefined;
      },
      patienceMs,
    );
    return { orderId, offers };
  }

  const accept = ({ offerId, driverId }: Offer): Promise<ApiAnswer<Problem>> => {
    const api = drivers[Number(driverId.slice(1)) - 1];
    assert.ok(api !== undefined);
    return ask(api, `/drivers/${driverId}/offers/${offerId}/accept`);
  };

  it('an order: one winner, everybody else is told so', options, async () => {
    for (let round = 0; round < rounds; round += 1) {
      const customer = await apiOf('customer', `c-one-${round}`, round);
      const { orderId, offers } = await offered(customer);
      const answers = await Promise.all(offers.map(accept));
      assert.deepEqual(counted(answers, 'won'), { won: 1, OFFER_TAKEN: rivals - 1 }, `round ${round}`);
      const winner = offers[answers.findIndex(({ status }) => status === 200)]?.driverId;
      assert.equal((await orderReached(customer, orderId, 'assigned')).driverId, winner);
      const { rows } = await client.query<{ state: string; count: number }>(
        'select state, count(*)::int as count from drivers.driver_offers where order_id = $1 group by 1 order by 1',
        [orderId],
      );
      assert.deepEqual(rows, [
        { state: 'accepted', count: 1 },
        { state: 'lost', count: rivals - 1 },
      ]);
      await ops[round % 2]?.ok('POST', `/orders/${orderId}/cancel`, { reason: 'the round is over' });
    }
  });

  it('an order that its customer cancels: one winner or none, who is told that it is over', options, async () => {
    for (let round = 0; round < rounds; round += 1) {
      const customer = await apiOf('customer', `c-cancel-${round}`, round);
      const { orderId, offers } = await offered(customer);
      const cancel = () => ask(customer, `/orders/${orderId}/cancel`, {});
      const accepts = offers.map((offer) => () => accept(offer));
      const at = (round * 37) % rivals;
      const all = await Promise.all(accepts.toSpliced(at, 0, cancel).map((each) => each()));
      assert.equal(all[at]?.status, 200);
      const answers = counted(all.toSpliced(at, 1), 'won');
      const { won = 0, OFFER_TAKEN: taken = 0, OFFER_WITHDRAWN: withdrawn = 0 } = answers;
      assert.ok(won <= 1 && (won === 1 || taken === 0), JSON.stringify(answers));
      assert.equal(won + taken + withdrawn, rivals, JSON.stringify(answers));
      await orderReached(customer, orderId, 'cancelled');
      await assertOver(orderId, won);
    }
  });

  /** No driver has it, and whoever heard that it has it hears that it is over. */
  async function assertOver(orderId: string, won: number): Promise<void> {
    await until(
      'the assignment has ended, and its driver is told',
      async () => {
        const { rows } = await client.query<{ status: string; told: number }>(
          `select a.status, (select count(*)::int from notifications.notifications n
              where n.order_id = a.order_id and n.recipient_role = 'driver' and n.recipient_id = a.driver_id
                and n.state = 'sent' and n.template in ('driver.unassigned', 'driver.order_cancelled')) as told
            from drivers.driver_assignments a where a.order_id = $1`,
          [orderId],
        );
        return rows[0]?.status === 'ended' && rows[0].told === won;
      },
      patienceMs,
    );
  }

  it('the last place in a window: one books it', options, async () => {
    const customers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => apiOf('customer', `c-window-${index}`, index)),
    );
    for (let round = 0; round < rounds; round += 1) {
      const { area, start, end } = await windowWithOnePlace(round);
      const booking = { ...bookingAt(near(place, 1)), pickupWindow: { start, end } };
      const answers = await Promise.all(
        Array.from({ length: rivals }, (_, index) =>
          ask(customers[index % customers.length] as Api, '/orders', booking),
        ),
      );
      assert.deepEqual(counted(answers, 'booked'), { booked: 1, ORDER_WINDOW_FULL: rivals - 1 }, `round ${round}`);
      const { rows } = await client.query<{ taken: number; held: number }>(
        `select w.taken, (select count(*)::int from orders.order_places p
            where p.area = w.area and p.starts_at = w.starts_at) as held
          from orders.pickup_windows w where w.area = $1 and w.starts_at = $2`,
        [area, start],
      );
      assert.deepEqual(rows, [{ taken: 1, held: 1 }]);
      const booked = answers.find(({ status }) => status < 300)?.body as unknown as Order;
      await ops[round % 2]?.ok('POST', `/orders/${booked.orderId}/cancel`, { reason: 'the round is over' });
    }
  });

  /** Each round has its own, more than a day ahead. */
  async function windowWithOnePlace(round: number): Promise<{ area: string; start: string; end: string }> {
    const { lat, lon }: Place = near(place, 1);
    const from = new Date(Date.now() + (26 + 2 * round) * 3_600_000).toISOString();
    const to = new Date(Date.parse(from) + 1).toISOString();
    const [api] = ops;
    assert.ok(api !== undefined);
    const query = new URLSearchParams({ lat: String(lat), lon: String(lon), from, to });
    const { area, windows } = await api.ok<{ area: string; windows: { start: string; end: string }[] }>(
      'GET',
      `/orders/windows?${query.toString()}`,
    );
    const [window] = windows;
    assert.ok(window !== undefined);
    await api.ok('PUT', '/orders/windows', { area, start: window.start, capacity: 1 });
    return { area, ...window };
  }

  it('the drop-off and its refunds: captured once, and no more is given back than was taken', options, async () => {
    for (let round = 0; round < rounds; round += 1) {
      const customer = await apiOf('customer', `c-money-${round}`, round);
      const { orderId, offers } = await offered(customer);
      const [first] = offers;
      assert.ok(first !== undefined);
      assert.equal((await accept(first)).status, 200);
      await orderReached(customer, orderId, 'assigned');
      const own = await Promise.all([0, 1].map((index) => apiOf('driver', first.driverId, index)));
      for (const verb of ['start', 'pickup', 'deliver']) await everybody(own, `/orders/${orderId}/${verb}`);
      await until('it is captured', async () => (await paymentOf(customer, orderId)).status === 'captured', patienceMs);
      const { amountMinor } = await customer.ok<Order>('GET', `/orders/${orderId}`).then(({ price }) => price);
      const [payment] = (
        await client.query<{ paymentId: string }>(
          'select payment_id as "paymentId" from payments.payments where order_id = $1',
          [orderId],
        )
      ).rows;
      const part = Math.floor(amountMinor / 5.5);
      const answers = await Promise.all(
        Array.from({ length: rivals }, (_, index) =>
          ask(ops[index % 2] as Api, `/payments/${payment?.paymentId}/refunds`, {
            amountMinor: part,
            reason: 'damaged',
          }),
        ),
      );
      assert.deepEqual(counted(answers, 'taken'), { taken: 5, PAYMENT_REFUND_TOO_LARGE: rivals - 5 }, `round ${round}`);
      await assertMoved(orderId, { captures: 1, capturedMinor: amountMinor, refunds: 5, refundedMinor: 5 * part });
    }
  });

  /** All at once, half of them by each node; a step that was made is answered as if it were made now. */
  async function everybody(apis: readonly Api[], path: string): Promise<void> {
    const answers = await Promise.all(
      Array.from({ length: rivals }, (_, index) => ask(apis[index % apis.length] as Api, path)),
    );
    assert.deepEqual(counted(answers, 'done'), { done: rivals }, path);
  }

  /** By the provider's own books and by ours. */
  async function assertMoved(orderId: string, expected: Readonly<Record<string, number>>): Promise<void> {
    const read = async (): Promise<Record<string, number>> => {
      const { rows } = await client.query<Record<string, number>>(
        `select (select count(*)::int from payments.operations where order_id = $1 and kind = 'capture') as captures,
            s.captured_minor as "capturedMinor", count(r.reference)::int as refunds,
            coalesce(sum(r.amount_minor), 0)::int as "refundedMinor"
          from payments.sandbox_payments s left join payments.sandbox_refunds r on r.payment_reference = s.reference
          where s.order_id = $1 group by s.reference`,
        [orderId],
      );
      assert.equal(rows.length, 1);
      return rows[0] ?? {};
    };
    await until('all refunds have moved', async () => (await read())['refunds'] === expected['refunds'], patienceMs);
    assert.deepEqual(await read(), expected);
    const { rows } = await client.query('select sum(amount_minor)::int as sum from payments.ledger_entries');
    assert.deepEqual(rows, [{ sum: 0 }]);
  }
});
