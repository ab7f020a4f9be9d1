/**
 * Whatever dies at whatever step of an order, it ends in a legal state, its money and its state agree, each message was sent
 * once, and nothing is stuck. Rounds and seeds: CONTRIBUTING.md.
 */
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { startRig, type Rig } from '../support/ingest/rig.ts';
import { endPostgres, killCore, killPlugin, type RigFault } from '../support/ingest/faults.ts';
import { createRandom } from '../support/ingest/random.ts';
import { readRounds } from '../support/ingest/rounds.ts';
import { placeOf } from '../support/journey.ts';
import { assertSettled } from '../support/orders/assert-settled.ts';
import { putDriverOnShift } from '../support/orders/drivers.ts';
import { bringTo, cancel, reached, steps, type Journey } from '../support/orders/steps.ts';

const { seeds } = readRounds();
const plugins = ['orders', 'payments', 'drivers', 'tracking', 'notifications'] as const;
/** A fault comes so long after the step was asked for, at most: before, within or after it. */
const delayMaxMs = 80;

const faults: Readonly<Record<string, RigFault>> = {
  'kill -9 of the core': killCore,
  'kill -9 of orders': killPlugin('orders'),
  'kill -9 of payments': killPlugin('payments'),
  'kill -9 of drivers': killPlugin('drivers'),
  'kill -9 of notifications': killPlugin('notifications'),
  'fast restart of Postgres': endPostgres('SIGINT'),
  'immediate restart of Postgres': endPostgres('SIGQUIT'),
};

/** Each step, and a cancellation before each at which the customer may. */
const scenes = [
  ...steps.map((step, index) => ({ name: step.name, index, run: step.run, ends: 'completed' })),
  { name: 'cancel when scheduled', index: 1, run: cancel, ends: 'cancelled' },
  { name: 'cancel when assigned', index: 2, run: cancel, ends: 'cancelled' },
] as const;

type Scene = (typeof scenes)[number];

function createJourney(number: number): Journey {
  return { customerId: `customer-${number}`, driverId: `driver-${number}`, place: placeOf(number % 40), orderId: '' };
}

/** The rest of the way after the step that was disturbed. */
async function goOn(rig: Rig, { index, ends }: Scene, journey: Journey): Promise<void> {
  if (ends === 'completed') {
    await reached(rig, journey, [steps[index]?.reaches ?? '']);
    for (const step of steps.slice(index + 1)) {
      await step.run(rig, journey);
      await reached(rig, journey, [step.reaches]);
    }
  }
  await reached(rig, journey, [ends]);
}

describe('orders whose platform fails at a step', () => {
  let rig: Rig;
  let journeys = 0;

  before(async () => {
    rig = await startRig({
      devices: 0,
      plugins,
      environment: {
        // A driver who is killed over and over must not be taken for silent.
        DRIVERS_OFFER_SECONDS: '600',
        DRIVERS_SILENT_SECONDS: '3600',
      },
    });
  });
  after(() => rig?.stop());

  for (const [round, seed] of seeds.entries()) {
    const random = createRandom(seed);
    for (const name of random.shuffle(Object.keys(faults))) {
      it(`end well: ${name}, round ${round + 1}, seed ${seed}`, async (test) => {
        const own = scenes.map(() => createJourney((journeys += 1)));
        for (const journey of own) await putDriverOnShift(rig, journey);
        await Promise.all(scenes.map((scene, index) => bringTo(rig, own[index] as Journey, scene.index)));
        const delayMs = random.integer(0, delayMaxMs);
        test.diagnostic(`${name} ${delayMs} ms after the steps`);
        const running = scenes.map((scene, index) => scene.run(rig, own[index] as Journey));
        await wait(delayMs);
        await faults[name]?.({ rig });
        await Promise.all(running);
        await Promise.all(scenes.map((scene, index) => goOn(rig, scene, own[index] as Journey)));
        await assertSettled(rig, own);
      });
    }
  }
});
