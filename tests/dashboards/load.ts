/** What goes on while the dashboards are looked at. */
import { setTimeout as wait } from 'node:timers/promises';
import mqtt from 'mqtt';
import { createSyntheticRoute } from '#core/cli/demo/synthetic-route.ts';
import type { RoutePoint } from '#core/cli/demo/route-point.ts';
import { createCrowd, type Crowd } from '../bench/day/api.ts';
import { createChances } from '../bench/day/chances.ts';
import { bookOne } from '../bench/day/customer.ts';
import { SimulatedDriver } from '../bench/day/driver.ts';
import { sendBulk, toOrders } from '../support/bulk-client.ts';
import { createRandom } from '../support/ingest/random.ts';
import type { Rig } from '../support/ingest/rig.ts';
import { near } from '../support/journey.ts';

const bookEveryMs = 400;
/** What a driver's ride takes: an order is at its door in some seconds. */
const paceMs = 800;
const partnerEveryMs = 3000;

/** Customers who book, drivers who drive, some who get it wrong. What did not go as it should, in words. */
export async function load(rig: Rig, seconds: number): Promise<readonly string[]> {
  const random = createRandom(7);
  const failures: string[] = [];
  const crowd = createCrowd(rig);
  const common = {
    crowd,
    chances: createChances(random),
    paceMs,
    onFailure: (what: string) => void failures.push(what),
  };
  const routes = rig.devices.map(() =>
    createSyntheticRoute({ random: () => random.integer(0, 999_999) / 1_000_000, blocks: 20 }),
  );
  const fleet = rig.devices.map(
    (device, index) => new SimulatedDriver({ ...common, url: rig.mqttUrl, device, route: routes[index] ?? [] }),
  );
  const endMs = performance.now() + seconds * 1000;
  try {
    for (const driver of fleet) await driver.start();
    await Promise.all([bookUntil(endMs, { ...common, routes }), others(rig, crowd, endMs)]);
  } finally {
    await Promise.all(fleet.map((driver) => driver.stop()));
    await crowd.stop();
  }
  return failures;
}

type Customers = Omit<Parameters<typeof bookOne>[0], 'who' | 'place' | 'onBooked'> & {
  readonly routes: readonly (readonly RoutePoint[])[];
};

async function bookUntil(endMs: number, { routes, ...common }: Customers): Promise<void> {
  const people: Promise<void>[] = [];
  for (let n = 0; performance.now() < endMs; n += 1) {
    const point = routes[n % routes.length]?.[0];
    if (point === undefined) throw new Error('Cannot book: a route has no point');
    const who = { role: 'customer', id: `customer-${n % 50}` } as const;
    people.push(bookOne({ ...common, who, place: near(point, 1), onBooked: () => undefined }));
    await wait(bookEveryMs);
  }
  await Promise.all(people);
}

/** A partner that sends its file again, one who looks at an order again and again, a phone that sends what is no position. */
async function others(rig: Rig, crowd: Crowd, endMs: number): Promise<void> {
  const { token = '' } = await rig.core.as('partner', 'partner-1');
  const [device] = rig.devices;
  if (device === undefined) throw new Error('Cannot send what is no position: the rig has no device');
  const { username, password, driverId } = device;
  const orders = toOrders(5);
  const phone = await mqtt.connectAsync(rig.mqttUrl, { username, password, clientId: `faulty-${username}` });
  try {
    while (performance.now() < endMs) {
      const { verdicts } = await sendBulk({ url: rig.core.addresses.api, token, orders });
      const path = `/orders/${verdicts[0]?.orderId ?? ''}`;
      for (let times = 0; times < 4; times += 1) await crowd.call({ role: 'partner', id: 'partner-1' }, 'GET', path);
      await phone.publishAsync(`drivers/${driverId}/location`, 'no position', { qos: 1 });
      await wait(partnerEveryMs);
    }
  } finally {
    await phone.endAsync();
  }
}
