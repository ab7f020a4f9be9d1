import { setTimeout as wait } from 'node:timers/promises';
import mqtt, { type MqttClient } from 'mqtt';
import { positionAt, reverseRoute, type RoutePoint } from './route-point.ts';
import type { Send } from './api-client.ts';

export interface DemoDriverOptions {
  readonly driverId: string;
  readonly mqttUrl: string;
  readonly credentials: { readonly username: string; readonly password: string };
  readonly route: readonly RoutePoint[];
  /** As ops: the demo takes the steps that the driver's app would. */
  readonly ops: Send;
  readonly customer: Send;
  /** How much faster than the recording the driver moves; its fixes come once a second all the same. */
  readonly speed: number;
  readonly onOrder: (order: { readonly orderId: string; readonly driverId: string }) => void;
  readonly onStep: (step: { readonly orderId: string; readonly status: string }) => void;
  /** A step was refused, or not answered: the driver leaves the order and takes another. */
  readonly onFailure: (error: unknown) => void;
  readonly signal: AbortSignal;
}

interface Order {
  readonly orderId: string;
  readonly status: string;
}

const fixIntervalMs = 1000;
const waitForDriverMs = 30_000;
const hourMs = 3_600_000;

/** Connects as a phone does, and drives order after order along the route and back until the signal. */
export async function driveOrders(options: DemoDriverOptions): Promise<void> {
  const { signal } = options;
  const client = await mqtt.connectAsync(options.mqttUrl, {
    ...options.credentials,
    clientId: options.credentials.username,
  });
  try {
    for (let route = options.route; !signal.aborted; route = reverseRoute(route)) {
      try {
        await driveOne(client, route, options);
      } catch (error) {
        if (signal.aborted) return;
        options.onFailure(error);
        await pause(signal);
      }
    }
  } finally {
    await client.endAsync(true);
  }
}

async function driveOne(client: MqttClient, route: readonly RoutePoint[], options: DemoDriverOptions): Promise<void> {
  const { signal, ops } = options;
  await publishFix(client, options.driverId, positionAt(route, 0));
  const { orderId } = await bookOrder(route, options);
  await waitForAssignment(orderId, route, { client, options });
  if (signal.aborted) return;
  const endMs = route.at(-1)?.offsetMs ?? 0;
  const steps: (readonly [atMs: number, verb: string])[] = [
    [0, 'start'],
    [endMs / 3, 'arrive'],
    [endMs / 3, 'pickup'],
    [endMs, 'deliver'],
    [endMs, 'complete'],
  ];
  const startedAtMs = Date.now();
  while (steps.length > 0 && !signal.aborted) {
    const offsetMs = (Date.now() - startedAtMs) * options.speed;
    await publishFix(client, options.driverId, positionAt(route, Math.min(offsetMs, endMs)));
    for (let step = steps[0]; step !== undefined && step[0] <= offsetMs; step = steps[0]) {
      const { status } = await ops<Order>('POST', `/orders/${orderId}/${step[1]}`);
      options.onStep({ orderId, status });
      // From now on its customer may watch.
      if (step[1] === 'start') options.onOrder({ orderId, driverId: options.driverId });
      steps.shift();
    }
    await pause(signal);
  }
}

/** Resolves with the acknowledgement: the fix is in the database then. */
async function publishFix(client: MqttClient, driverId: string, position: { lat: number; lon: number }): Promise<void> {
  const payload = JSON.stringify({ ...position, recordedAt: new Date().toISOString(), accuracyM: 5 });
  await client.publishAsync(`drivers/${driverId}/location`, payload, { qos: 1 });
}

function bookOrder(route: readonly RoutePoint[], { customer }: DemoDriverOptions): Promise<Order> {
  const endMs = route.at(-1)?.offsetMs ?? 0;
  const address = (position: { lat: number; lon: number }, line1: string): object => ({
    line1,
    city: 'New York',
    region: 'NY',
    postalCode: '10001',
    country: 'US',
    ...position,
  });
  return customer<Order>('POST', '/orders', {
    pickup: address(positionAt(route, endMs / 3), '1 Demo Street'),
    pickupWindow: { start: new Date().toISOString(), end: new Date(Date.now() + 2 * hourMs).toISOString() },
    parcels: [{ description: 'Shoes, size 42' }],
    destination: { kind: 'store', name: 'Demo Store', address: address(positionAt(route, endMs), '99 Demo Avenue') },
  });
}

/** Its phone goes on reporting where it stands meanwhile, as a phone does. */
async function waitForAssignment(
  orderId: string,
  route: readonly RoutePoint[],
  { client, options }: { readonly client: MqttClient; readonly options: DemoDriverOptions },
): Promise<void> {
  const deadlineMs = Date.now() + waitForDriverMs;
  while (!options.signal.aborted) {
    const { status } = await options.ops<Order>('GET', `/orders/${orderId}`);
    if (status === 'assigned') return;
    if (Date.now() > deadlineMs)
      throw new Error(`Order ${orderId} has no driver after ${waitForDriverMs} ms: it is ${status}`);
    await publishFix(client, options.driverId, positionAt(route, 0));
    await pause(options.signal);
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  await wait(fixIntervalMs, undefined, { signal }).catch(() => {
    // The demo ends: the loops see the signal.
  });
}
