/** Arrivals and departures on two nodes, of which each is killed once in the middle: every one is raised once. */
import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { skipWithoutMosquitto } from '../core/mqtt/mosquitto.ts';
import type { CoreProcess } from '../support/core-process.ts';
import { createRandom } from '../support/ingest/random.ts';
import { placeOf, type Place } from '../support/journey.ts';
import { createMosquittoNodes, readCounter, type MosquittoNodes } from '../support/mosquitto-nodes.ts';
import { until } from '../support/until.ts';

const drivers = Array.from({ length: 12 }, (_, index) => `driver-${index}`);
const seconds = 180;
const startMs = Date.now() - 3_600_000;

/** A minute to the stop, a minute at it, a minute away from it. */
function placeAt(driver: number, second: number): Place {
  const { lat, lon } = placeOf(driver + 1);
  const metres = second < 60 ? (60 - second) * 20 : second < 120 ? second % 7 : (second - 119) * 20;
  return { lat: lat + metres / 111_195, lon };
}

describe('arrivals on two nodes', { skip: skipWithoutMosquitto }, () => {
  let nodes: MosquittoNodes;
  let running: CoreProcess[];
  before(async () => {
    nodes = await createMosquittoNodes('tracking,orders');
    running = [await nodes.start('n1'), await nodes.start('n2')];
    for (const [index, driverId] of drivers.entries()) await addOrder(driverId, placeOf(index + 1));
    // What is committed, and not what is delivered: a subscriber's inbox would hide a second one.
    await nodes.pool.query(`
      create table public.raised (name text, data jsonb);
      create function public.note_event() returns trigger language plpgsql security definer as
        $$ begin insert into public.raised values (new.name, new.data::jsonb); return new; end $$;
      create trigger note_event after insert on returnit.outbox
        for each row when (new.name in ('driver.arrived', 'driver.departed')) execute function public.note_event()`);
  });
  after(() => nodes?.stop());

  async function addOrder(driverId: string, pickup: Place): Promise<void> {
    const orderId = randomUUIDv7();
    await nodes.pool.query(
      `insert into orders.orders (order_id, content_hash, created_by_role, created_by, customer_id, driver_id, status,
          pickup, window_start, window_end, destination, amount_minor, currency)
        values ($1, 'x', 'customer', 'c1', 'c1', $2, 'on_the_way', $3, now(), now() + interval '1 hour', $4, 1, 'EUR')`,
      [orderId, driverId, pickup, { kind: 'store', address: pickup }],
    );
    await nodes.pool.query(
      `insert into tracking.tracked_orders (order_id, driver_id, status, updated_at) values ($1, $2, 'active', $3)`,
      [orderId, driverId, new Date(startMs)],
    );
  }

  /** All drivers' fixes of these seconds, in any order. */
  async function publish(from: number, to: number, seed: number): Promise<void> {
    const steps = drivers.flatMap((_, driver) =>
      Array.from({ length: to - from }, (__, index) => ({ driver, second: from + index })),
    );
    await Promise.all(
      createRandom(seed)
        .shuffle(steps)
        .map(({ driver, second }) => {
          const recordedAt = new Date(startMs + second * 1000).toISOString();
          const payload = JSON.stringify({ ...placeAt(driver, second), recordedAt, accuracyM: 5 });
          return nodes.phones.publishAsync(`drivers/${drivers[driver]}/location`, payload, { qos: 1 });
        }),
    );
  }

  async function raised(): Promise<Readonly<Record<string, number>>> {
    const { rows } = await nodes.pool.query<{ name: string; events: number }>(
      'select name, count(*)::int as events from public.raised group by name',
    );
    return Object.fromEntries(rows.map(({ name, events }) => [name, events]));
  }

  /** Fixes that the two nodes have taken since they were started. */
  async function taken(): Promise<number> {
    const counts = await Promise.all([0, 1].map((index) => readCounter(node(index), 'returnit_tracking_fixes_total')));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Both at once: what the first has in hand goes to the second, and the other way round. */
  async function killDuring(index: number, work: Promise<void>): Promise<void> {
    await until('a fix is taken', async () => (await readCounter(node(index), 'returnit_tracking_fixes_total')) > 0);
    assert.equal(await node(index).end('SIGKILL'), 'SIGKILL');
    await work;
    running[index] = await nodes.start(`n${index + 1}`);
  }

  function node(index: number): CoreProcess {
    const found = running[index];
    assert.ok(found !== undefined);
    return found;
  }

  it('are raised once for each order, whatever is killed, repeated and shuffled', async () => {
    // In pieces, so that nodes share them, and with a repetition of what came before each.
    await publish(0, 70, 1);
    await killDuring(0, publish(50, 110, 2));
    await killDuring(1, publish(100, 160, 3));
    await publish(140, seconds, 4);
    let seed = 5;
    const repeat = async (): Promise<void> => {
      const before = await taken();
      await publish(0, seconds, (seed += 1));
      await until('all is taken', async () => (await taken()) >= before + drivers.length * seconds);
    };
    const all = { 'driver.arrived': drivers.length, 'driver.departed': drivers.length };
    await until(
      'all have arrived and departed',
      async () => {
        // An arrival may be learnt of after the fixes that would have shown the departure.
        await repeat();
        const events = Object.values(await raised());
        return events.length === 2 && events.every((count) => count >= drivers.length);
      },
      180_000,
    );
    await repeat();
    assert.deepEqual(await raised(), all);
    const { rows } = await nodes.pool.query('select order_id from tracking.stop_visits where departed_at is null');
    assert.deepEqual(rows, []);
  });
});
