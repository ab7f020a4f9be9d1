import assert from 'node:assert/strict';
import type { Rig } from '../ingest/rig.ts';
import { bookingAt, type Order, type Place } from '../journey.ts';
import { until } from '../until.ts';
import { createPersistentCaller } from './persistent-caller.ts';

/** An order on its way, with its own customer and its own driver near by. */
export interface Journey {
  readonly customerId: string;
  readonly driverId: string;
  readonly place: Place;
  /** @default one that nothing is wrong with */
  readonly paymentMethod?: string;
  orderId: string;
}

/** What the payment provider is asked because of a step. */
export type Asked = 'authorise' | 'capture' | 'void';

export interface Step {
  readonly name: string;
  /** What the order is afterwards, or something later. */
  readonly reaches: string;
  /** @default nothing */
  readonly asks?: Asked;
  readonly run: (rig: Rig, journey: Journey) => Promise<void>;
}

export const orderOf = async (rig: Rig, { orderId }: Journey): Promise<Order> =>
  (await createPersistentCaller(rig, 'ops', 'faults').call<Order>('GET', `/orders/${orderId}`)).body;

const stateMaxMs = 240_000;

export async function reached(rig: Rig, journey: Journey, statuses: readonly string[]): Promise<Order> {
  let last = '';
  return until<Order>(
    `order ${journey.orderId} is ${statuses.join(' or ')}`,
    async () => {
      const order = await orderOf(rig, journey);
      if (order.status !== last) last = order.status;
      return statuses.includes(order.status) ? order : undefined;
    },
    stateMaxMs,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: it is '${last}'`, { cause: error });
  });
}

/** The driver's own step; done already is as good. */
const driverStep =
  (verb: string): Step['run'] =>
  async (rig, { orderId, driverId }) => {
    const driver = createPersistentCaller(rig, 'driver', driverId);
    const { status, body } = await driver.call<{ detail?: string }>('POST', `/orders/${orderId}/${verb}`);
    assert.equal(status, 200, `${verb} answered ${status} ${JSON.stringify(body)}`);
  };

interface Offer {
  readonly offerId: string;
  readonly orderId: string;
}

const book: Step['run'] = async (rig, journey) => {
  const customer = createPersistentCaller(rig, 'customer', journey.customerId);
  const { place, paymentMethod } = journey;
  const booking = bookingAt(place, paymentMethod === undefined ? {} : { paymentMethod });
  const { status, body } = await customer.call<Order>('POST', '/orders', booking);
  assert.ok(status === 201 || status === 200, `booking answered ${status} ${JSON.stringify(body)}`);
  journey.orderId = body.orderId;
};

const accept: Step['run'] = async (rig, { driverId, orderId }) => {
  const driver = createPersistentCaller(rig, 'driver', driverId);
  const offer = await until<Offer>(
    `driver ${driverId} is offered the order`,
    async () => {
      const { body } = await driver.call<{ offers: readonly Offer[] }>('GET', `/drivers/${driverId}/offers`);
      return body.offers.find((each) => each.orderId === orderId);
    },
    stateMaxMs,
  );
  const { status, body } = await driver.call('POST', `/drivers/${driverId}/offers/${offer.offerId}/accept`);
  assert.equal(status, 200, `accept answered ${status} ${JSON.stringify(body)}`);
};

/** From booking to the door. Each is run when the order has got to where the one before leads. */
export const steps: readonly Step[] = [
  { name: 'book', reaches: 'scheduled', asks: 'authorise', run: book },
  { name: 'accept', reaches: 'assigned', run: accept },
  { name: 'start', reaches: 'on_the_way', run: driverStep('start') },
  { name: 'arrive', reaches: 'arrived', run: driverStep('arrive') },
  { name: 'pickup', reaches: 'picked_up', run: driverStep('pickup') },
  { name: 'deliver', reaches: 'completed', asks: 'capture', run: driverStep('deliver') },
];

export const cancel: Step['run'] = async (rig, { customerId, orderId }) => {
  const customer = createPersistentCaller(rig, 'customer', customerId);
  const { status, body } = await customer.call('POST', `/orders/${orderId}/cancel`, { reason: 'changed my mind' });
  assert.equal(status, 200, `cancel answered ${status} ${JSON.stringify(body)}`);
};

/** Before this step: where the one before it has led. */
export async function bringTo(rig: Rig, journey: Journey, index: number): Promise<void> {
  for (const step of steps.slice(0, index)) {
    await step.run(rig, journey);
    await reached(rig, journey, [step.reaches]);
  }
}
