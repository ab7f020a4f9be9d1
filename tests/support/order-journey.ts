/** One order from booking to the door with everything that is promised on its way: run on each kind of platform. */
import assert from 'node:assert/strict';
import type { Api } from './api-client.ts';
import { book, connectDriver, near, orderReached, type Order, type Place } from './journey.ts';
import { watchByEvents, watchBySocket, type LiveClient } from './live-client.ts';
import type { TestPlatform } from './platform.ts';
import { until } from './until.ts';

interface Notification {
  readonly notificationId: string;
  readonly orderId: string;
  readonly template: string;
  readonly state: string;
}

/** As ops sees it. */
interface Delivery extends Notification {
  readonly recipientRole: string;
  readonly recipientId: string;
}

export interface JourneyOptions {
  readonly platform: TestPlatform;
  readonly place: Place;
  /** Makes the ids of this journey its own. */
  readonly name: string;
}

/** Books, assigns, drives, watches and completes. @returns the completed order */
export async function driveOrder({ platform, place, name }: JourneyOptions): Promise<Order> {
  const customer = await platform.as('customer', `customer-${name}`);
  const stranger = await platform.as('customer', `stranger-${name}`);
  const ops = await platform.as('ops', 'dispatcher');
  const driver = await platform.as('driver', `driver-${name}`);

  const booked = await book(customer, place);
  assert.equal(booked.status, 'created');
  await orderReached(customer, booked.orderId, 'scheduled');
  const payment = await paymentOf(customer, booked.orderId);
  assert.equal(payment.status, 'authorised');
  assert.equal(payment.amountMinor, booked.price.amountMinor);
  await assertNotVisible(platform, customer, booked.orderId);

  const device = await connectDriver(platform, `driver-${name}`);
  try {
    await device.publish(near(place, 5));
    await assertStored(platform, ops, { driverId: device.driverId, place: near(place, 5) });
    const assigned = await orderReached(customer, booked.orderId, 'assigned');
    assert.equal(assigned.driverId, `driver-${name}`);

    await assertNotVisible(platform, customer, booked.orderId);
    const organisers = await watchAll(platform, booked.orderId, [driver, ops]);
    const [[start, onTheWay], ...later] = steps;
    assert.equal((await driver.ok<Order>('POST', `/orders/${booked.orderId}/${start}`)).status, onTheWay);
    const watchers = [...organisers, ...(await watchAll(platform, booked.orderId, [customer]))];
    await assertRefused(platform, booked.orderId, stranger);
    await assertMovesForward({ platform, watchers, device, place });
    for (const [step, status] of later) {
      const { body } = await driver.request<Order>('POST', `/orders/${booked.orderId}/${step}`);
      assert.equal(body.status, status);
    }
    for (const watcher of watchers) {
      assert.equal((await watcher.next('closed')).reason, 'the order is completed');
      watcher.close();
    }
  } finally {
    await device.close();
  }
  await assertNotVisible(platform, customer, booked.orderId);
  const toldToCustomer = [...told, 'order.completed', 'payment.captured'];
  await assertTold(platform, booked.orderId, { role: 'customer', id: `customer-${name}`, templates: toldToCustomer });
  await assertTold(platform, booked.orderId, { role: 'driver', id: `driver-${name}`, templates: ['driver.assigned'] });
  const completed = await customer.ok<Order>('GET', `/orders/${booked.orderId}`);
  const byDriver = `delivered > completed by driver driver-${name}`;
  assert.deepEqual(
    // Whoever is first: the driver, or the payment that was captured.
    completed.history
      ?.map(({ from, to, actorKind, actorId }) => `${from} > ${to} by ${actorKind} ${actorId}`)
      .map((step) => step.replace('delivered > completed by system payments', byDriver)),
    [
      `null > created by customer customer-${name}`,
      'created > scheduled by system payments',
      'scheduled > assigned by system drivers',
      `assigned > on_the_way by driver driver-${name}`,
      `on_the_way > arrived by driver driver-${name}`,
      `arrived > picked_up by driver driver-${name}`,
      `picked_up > delivered by driver driver-${name}`,
      byDriver,
    ],
  );
  const [created, scheduled] = completed.history ?? [];
  assert.match(created?.traceId ?? '', /^[0-9a-f]{32}$/);
  assert.equal(scheduled?.traceId, created?.traceId, 'the payment belongs to the trace of the booking');
  return completed;
}

/**
 * With the embedded broker acknowledged means committed: the fix is in the history without waiting. Another broker
 * acknowledges to the device when it has the message itself.
 */
async function assertStored(
  platform: TestPlatform,
  ops: Api,
  { driverId, place }: { readonly driverId: string; readonly place: Place },
): Promise<void> {
  const fixesOf = async (): Promise<Place[]> => {
    const { fixes } = await ops.ok<{ fixes: Place[] }>('GET', `/tracking/drivers/${driverId}/history`);
    return fixes.map(({ lat, lon }) => ({ lat, lon }));
  };
  if (platform.config.mqttUrl !== null) await until('the fix is stored', async () => (await fixesOf()).length > 0);
  assert.deepEqual(await fixesOf(), [place]);
}

const steps = [
  ['start', 'on_the_way'],
  ['arrive', 'arrived'],
  ['pickup', 'picked_up'],
  ['deliver', 'delivered'],
  ['complete', 'completed'],
] as const;

const told = [
  'order.created',
  'order.scheduled',
  'driver.unavailable',
  'order.assigned',
  'order.started',
  'order.arrived',
  'order.picked_up',
  'order.delivered',
];

export interface Payment {
  readonly status: string;
  readonly amountMinor: number;
  readonly declineReason: string | null;
}

export async function paymentOf(api: Api, orderId: string): Promise<Payment> {
  const { payments } = await api.ok<{ payments: Payment[] }>('GET', `/payments?orderId=${orderId}`);
  assert.equal(payments.length, 1);
  const [payment] = payments;
  assert.ok(payment !== undefined);
  return payment;
}

export interface Told {
  readonly role: 'customer' | 'driver';
  readonly id: string;
  readonly templates: readonly string[];
}

/**
 * Each template once and sent, or dropped because a newer one says more, and no other. Ops sees both; who is told sees
 * what was not dropped.
 */
export async function assertTold(
  platform: TestPlatform,
  orderId: string,
  { role, id, templates }: Told,
): Promise<void> {
  const ops = await platform.as('ops', 'dispatcher');
  const person = await platform.as(role, id);
  const list = async <Row>(api: Api): Promise<Row[]> =>
    (await api.ok<{ notifications: Row[] }>('GET', `/notifications?orderId=${orderId}&limit=100`)).notifications;
  const deliveries = async (): Promise<Delivery[]> =>
    (await list<Delivery>(ops)).filter((row) => row.recipientRole === role && row.recipientId === id);
  await until(`${templates.length} notifications of order ${orderId} have ended`, async () => {
    const ended = (await deliveries()).filter(({ state }) => state === 'sent' || state === 'dropped');
    return ended.length >= templates.length;
  });
  const all = await deliveries();
  assert.deepEqual(all.map(({ template }) => template).sort(), [...templates].sort());
  const shown = all.filter(({ state }) => state !== 'dropped');
  const idsOf = (rows: readonly Notification[]): string[] => rows.map(({ notificationId }) => notificationId).sort();
  assert.deepEqual(idsOf(await list<Notification>(person)), idsOf(shown));
}

const channelOf = (orderId: string): string => `orders/${orderId}/position`;

async function assertNotVisible(platform: TestPlatform, customer: Api, orderId: string): Promise<void> {
  const { status } = await customer.request('GET', `/tracking/orders/${orderId}/position`);
  assert.equal(status, 404);
  await assertRefused(platform, orderId, customer);
}

async function assertRefused(platform: TestPlatform, orderId: string, api: Api): Promise<void> {
  for (const watch of [watchBySocket, watchByEvents]) {
    const client = await watch(watchOptions(platform, orderId, api));
    assert.ok((await client.next(() => true)).type === 'refused');
    client.close();
  }
}

const watchOptions = (platform: TestPlatform, orderId: string, { token = '' }: Api) => ({
  url: platform.app.addresses.api,
  token,
  channel: channelOf(orderId),
});

/** Each by WebSocket and by server-sent events; each begins with the newest position. */
async function watchAll(platform: TestPlatform, orderId: string, callers: readonly Api[]): Promise<LiveClient[]> {
  const clients = await Promise.all(
    callers.flatMap((api) =>
      [watchBySocket, watchByEvents].map((watch) => watch(watchOptions(platform, orderId, api))),
    ),
  );
  for (const client of clients) assert.equal((await client.next('snapshot')).data?.orderId, orderId);
  return clients;
}

interface Motion {
  readonly platform: TestPlatform;
  readonly watchers: readonly LiveClient[];
  readonly device: { publish(place: Place, recordedAt?: Date): Promise<void> };
  readonly place: Place;
}

/** Two positions and, between them, one that is older: nobody sees that one. */
async function assertMovesForward({ platform, watchers, device, place }: Motion): Promise<void> {
  const startMs = Date.now();
  await device.publish(near(place, 4), new Date(startMs + 1000));
  await device.publish(near(place, 9), new Date(startMs - 30_000));
  await device.publish(near(place, 3), new Date(startMs + 2000));
  for (const watcher of watchers) {
    await watcher.next(({ data }) => data?.lat === near(place, 3).lat);
    const shown = watcher.values.map(({ data }) => ({ lat: data?.lat, lon: data?.lon }));
    const all = [near(place, 5), near(place, 4), near(place, 3)];
    // Of what another broker hands over in one batch only the newest is shown.
    const mayBeBatched = platform.config.mqttUrl !== null;
    assert.deepEqual(shown, mayBeBatched && shown.length === 2 ? [all[0], all[2]] : all);
  }
}
