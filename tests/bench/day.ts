import { setTimeout as wait } from 'node:timers/promises';
import { killCores } from '../support/core-process.ts';
import { createRandom } from '../support/ingest/random.ts';
import { startRig, type Rig } from '../support/ingest/rig.ts';
import { near } from '../support/journey.ts';
import { createCrowd } from './day/api.ts';
import { createChances } from './day/chances.ts';
import { ordersByHour } from './day/curve.ts';
import { answerFailedPickup, bookOne } from './day/customer.ts';
import { SimulatedDriver } from './day/driver.ts';
import { toResult } from './day/result.ts';
import { readRoutes } from './day/routes.ts';
import { listFailedPickups, openOf, readState, type State } from './day/state.ts';
import { numberFlag } from './flags.ts';
import type { BenchResult } from './report.ts';

const hours = 24;
const customersMax = 2000;
const settleMaxMs = 900_000;

/**
 * A day in fast motion: orders as the guide spreads them over the hours, drivers on recorded and made-up routes who are
 * offered them by MQTT, cards that are declined, pickups that fail, customers who cancel. It ends when every order has.
 * `--orders=`, `--drivers=`, `--minutes=` that the day takes, `--seed=`, `--traces=` the folder of recorded drives.
 */
export async function benchDay(): Promise<BenchResult> {
  const orders = numberFlag('orders', 10_000);
  const drivers = numberFlag('drivers', 500);
  const minutes = numberFlag('minutes', 12);
  const random = createRandom(numberFlag('seed', 1));
  const rig = await startRig({
    devices: drivers,
    plugins: ['orders', 'payments', 'drivers', 'tracking', 'notifications', 'webhooks'],
    environment: {
      LOG_LEVEL: 'warn',
      ORDERS_WINDOW_CAPACITY: String(orders),
      DRIVERS_OFFER_SECONDS: '20',
      // In a day of minutes, five of them would be hours.
      DRIVERS_REOFFER_SECONDS: '20',
    },
  });
  const crowd = createCrowd(rig);
  const failures: string[] = [];
  const onFailure = (what: string): void => void failures.push(what);
  const chances = createChances(random);
  const hourMs = (minutes * 60_000) / hours;
  const common = { crowd, chances, paceMs: hourMs / 20, onFailure };
  const fleet: SimulatedDriver[] = [];
  try {
    const { routes, recorded } = await readRoutes(drivers, () => random.integer(0, 999_999) / 1_000_000);
    for (const [index, device] of rig.devices.entries()) {
      const route = routes[index % routes.length] ?? [];
      const driver = new SimulatedDriver({ ...common, url: rig.mqttUrl, device, route });
      fleet.push(driver);
      await driver.start();
    }
    const beganMs = performance.now();
    console.log(header);
    const seen: State[] = [];
    let booked = 0;
    for (const [hour, count] of ordersByHour(orders).entries()) {
      const bookings: Promise<void>[] = [];
      for (let index = 0; index < count; index += 1) {
        const dueMs = beganMs + hour * hourMs + (index * hourMs) / count;
        await wait(Math.max(0, dueMs - performance.now()));
        const route = routes[random.integer(0, routes.length - 1)] ?? [];
        const point = route[random.integer(0, route.length - 1)];
        if (point === undefined) continue;
        const who = { role: 'customer', id: `customer-${random.integer(1, customersMax)}` } as const;
        const place = near({ lat: point.lat, lon: point.lon }, 1);
        bookings.push(
          bookOne({ ...common, who, place, onBooked: () => (booked += 1) }).catch((error: unknown) =>
            onFailure(String(error)),
          ),
        );
      }
      await Promise.all(bookings);
      await decideFailedPickups(rig, common);
      seen.push(print(String(hour).padStart(2, '0'), await readState(rig)));
    }
    const end = await settle(rig, common, failures);
    print('end', end);
    const seconds = (performance.now() - beganMs) / 1000;
    return toResult({ end, booked, seconds, crowd, fleet, seen, recorded, failures });
  } finally {
    await Promise.all(fleet.map((driver) => driver.stop()));
    await crowd.stop();
    await rig.stop();
    await killCores();
  }
}

type Common = Pick<Parameters<typeof bookOne>[0], 'crowd' | 'chances' | 'paceMs' | 'onFailure'>;

async function decideFailedPickups(rig: Rig, common: Common): Promise<void> {
  const failed = await listFailedPickups(rig);
  await Promise.all(
    failed.map(({ orderId, customerId }) =>
      answerFailedPickup({ ...common, who: { role: 'customer', id: customerId } }, orderId),
    ),
  );
}

/** After the last booking: until every order has ended and no work is left. */
async function settle(rig: Rig, common: Common, failures: readonly string[]): Promise<State> {
  const endMs = performance.now() + settleMaxMs;
  for (;;) {
    await decideFailedPickups(rig, common);
    const state = await readState(rig);
    if (openOf(state) === 0 && state.jobs === 0 && state.outbox === 0) return state;
    if (performance.now() > endMs) {
      throw new Error(
        `The day does not end: ${JSON.stringify(state)}, ${failures.length} failures: ${failures.slice(0, 5).join('; ')}`,
      );
    }
    await wait(1000);
  }
}

const columns = ['hour', 'open', 'completed', 'cancelled', 'jobs', 'outbox', 'dead', 'ledger'] as const;
const width = 10;
const header = columns.map((column) => column.padStart(width)).join('');

function print(hour: string, state: State): State {
  const { byStatus, jobs, outbox, dead, ledger } = state;
  const values = [
    hour,
    openOf(state),
    byStatus['completed'] ?? 0,
    byStatus['cancelled'] ?? 0,
    jobs,
    outbox,
    dead,
    ledger,
  ];
  console.log(values.map((value) => String(value).padStart(width)).join(''));
  return state;
}
