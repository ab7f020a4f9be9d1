/**
 * Whatever dies at whatever step of an order, or keeps its answer, the order ends in a legal state, its money and its state
 * agree, each message was sent once, and nothing is stuck. Rounds and seeds: CONTRIBUTING.md.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { startRig, type Rig } from '../ingest/rig.ts';
import { createRandom } from '../ingest/random.ts';
import { readRounds } from '../ingest/rounds.ts';
import { assertSettled } from './assert-settled.ts';
import { putDriverOnShift } from './drivers.ts';
import { tokenFor, type OrderFault } from './faults.ts';
import { bringTo, cancel, reached, steps, type Asked, type Journey, type Step } from './steps.ts';
import { patientEnvironment } from '../patient.ts';
import { readSample } from '../platform.ts';

const { seeds } = readRounds();
const plugins = ['orders', 'payments', 'drivers', 'tracking', 'notifications'] as const;
/** A fault comes so long after the step was asked for, at most: before, within or after it. */
const delayMaxMs = 80;
const faultTimeoutMs = 600_000;

interface Scene extends Pick<Step, 'name' | 'run'> {
  readonly index: number;
  readonly asks: Asked | undefined;
  readonly ends: 'completed' | 'cancelled';
}

/** Each step, and a cancellation before each at which the customer may. */
const scenes: readonly Scene[] = [
  ...steps.map(({ name, run, asks }, index): Scene => ({ name, index, run, asks, ends: 'completed' })),
  { name: 'cancel when scheduled', index: 1, run: cancel, asks: 'void', ends: 'cancelled' },
  // The fee is kept.
  { name: 'cancel when assigned', index: 2, run: cancel, asks: 'capture', ends: 'cancelled' },
];

function createJourney(number: number, { asks }: Scene, { answer }: OrderFault): Journey {
  // So far from each other that no driver of one is considered for another.
  const place = { lat: -59.5 + (number % 100) * 1.2, lon: -170 + Math.floor(number / 100) * 6 };
  const paymentMethod = asks === undefined || answer === undefined ? 'tok_default' : tokenFor(asks, answer);
  return { customerId: `customer-${number}`, driverId: `driver-${number}`, place, paymentMethod, orderId: '' };
}

/** Answers that were lost and found by asking the provider what became of its question, since the core was started. */
async function answersFound(rig: Rig): Promise<number> {
  const response = await fetch(`${rig.core.addresses.ops}/metrics`);
  return readSample(await response.text(), 'returnit_payments_ambiguous_total', { resolution: 'found' });
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

/** Each of these faults at each step of an order, as often as there are rounds. */
export function describeFaults(title: string, faults: Readonly<Record<string, OrderFault>>): void {
  describe(title, () => addRounds(faults));
}

function addRounds(faults: Readonly<Record<string, OrderFault>>): void {
  let rig: Rig;
  let journeys = 0;

  before(async () => {
    rig = await startRig({
      devices: 0,
      plugins,
      environment: {
        ...patientEnvironment,
        // A driver who is killed over and over must not be taken for silent.
        DRIVERS_OFFER_SECONDS: '600',
        DRIVERS_SILENT_SECONDS: '3600',
        // Longer than until any fault, and far from the time-out.
        PAYMENTS_SANDBOX_SLOW_MS: '1000',
      },
    });
  });
  after(() => rig?.stop());

  for (const [round, seed] of seeds.entries()) {
    const random = createRandom(seed);
    for (const [name, fault] of random.shuffle(Object.entries(faults))) {
      it(`end well: ${name}, round ${round + 1}, seed ${seed}`, { timeout: faultTimeoutMs }, async (test) => {
        const own = scenes.map((scene) => createJourney((journeys += 1), scene, fault));
        for (const journey of own) await putDriverOnShift(rig, journey);
        await Promise.all(scenes.map((scene, index) => bringTo(rig, own[index] as Journey, scene.index)));
        const foundBefore = await answersFound(rig);
        const delayMs = random.integer(0, delayMaxMs);
        test.diagnostic(`${name} ${delayMs} ms after the steps`);
        const running = scenes.map((scene, index) => scene.run(rig, own[index] as Journey));
        await wait(delayMs);
        await fault.strike({ rig });
        await Promise.all(running);
        await Promise.all(scenes.map((scene, index) => goOn(rig, scene, own[index] as Journey)));
        await assertSettled(rig, own);
        if (fault.answer !== 'timeout' && fault.answer !== 'error') return;
        const asked = scenes.filter(({ asks }) => asks !== undefined).length;
        const found = (await answersFound(rig)) - foundBefore;
        assert.ok(found >= asked, `${found} answers were asked for again, ${asked} were lost`);
      });
    }
  }
}
