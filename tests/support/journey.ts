/** What the tests of whole journeys share: places, bookings, drivers with their devices. */
import mqtt, { type MqttClient } from 'mqtt';
import type { Api } from './api-client.ts';
import type { TestPlatform } from './platform.ts';
import { until } from './until.ts';

export interface Place {
  readonly lat: number;
  readonly lon: number;
}

/** Places so far from each other that no driver of one is considered for an order of another. */
export function placeOf(index: number): Place {
  return { lat: -48.127_631 + index * 4.001_003, lon: 9.315_472 + index * 5.002_007 };
}

export const near = ({ lat, lon }: Place, step: number): Place => ({
  lat: Number((lat + step * 0.000_731).toFixed(6)),
  lon: Number((lon + step * 0.000_917).toFixed(6)),
});

export interface Order {
  readonly orderId: string;
  readonly status: string;
  readonly driverId: string | null;
  readonly customerId: string;
  readonly cancelReason: string | null;
  readonly price: { readonly amountMinor: number; readonly currency: string };
  readonly history?: readonly {
    readonly from: string | null;
    readonly to: string;
    readonly actorKind: string;
    readonly actorId: string;
    readonly traceId: string | null;
  }[];
}

const hourMs = 3_600_000;

export function bookingAt(place: Place, extra: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const address = (at: Place, line1: string) => ({
    line1,
    city: 'Springfield',
    region: 'OR',
    postalCode: '97477',
    country: 'US',
    ...at,
  });
  const nowMs = Date.now();
  return {
    pickup: address(place, '1 Main Street'),
    pickupWindow: { start: new Date(nowMs).toISOString(), end: new Date(nowMs + 2 * hourMs).toISOString() },
    parcels: [{ description: 'Shoes, size 42' }, { description: 'Shoes, size 43', weightGrams: 900 }],
    destination: { kind: 'store', name: 'The Store', address: address(near(place, 20), '99 Store Street') },
    ...extra,
  };
}

export const book = (api: Api, place: Place, extra: Readonly<Record<string, unknown>> = {}): Promise<Order> =>
  api.ok<Order>('POST', '/orders', bookingAt(place, extra));

export async function orderReached(api: Api, orderId: string, status: string): Promise<Order> {
  return until(`order ${orderId} is ${status}`, async () => {
    const order = await api.ok<Order>('GET', `/orders/${orderId}`);
    return order.status === status ? order : undefined;
  });
}

/** Waits until so many assignments are known to tracking, by any of these nodes: positions are told to who watches from then on. */
export async function ordersFollowed(nodes: readonly TestPlatform[], count: number): Promise<void> {
  const labels = { plugin: 'tracking', event: 'order.assigned', outcome: 'handled' };
  await until(`${count} orders are followed`, async () => {
    const counts = await Promise.all(nodes.map((node) => node.sample('returnit_events_delivered_total', labels)));
    return counts.reduce((sum, own) => sum + own, 0) >= count;
  });
}

export interface Device {
  readonly username: string;
  readonly password: string;
  readonly client: MqttClient;
  readonly driverId: string;
  /** Resolves with the acknowledgement: the fix is in the database then. */
  publish(place: Place, recordedAt?: Date): Promise<void>;
  close(): Promise<void>;
}

/** Registers a driver who takes each offer at once, puts it on shift and connects its phone; no position is sent yet. */
export async function connectDriver(platform: TestPlatform, driverId: string): Promise<Device> {
  const ops = await platform.as('ops', 'dispatcher');
  await ops.ok('POST', '/drivers', {
    driverId,
    name: `Driver ${driverId}`,
    vehicle: 'van',
    autoAccept: true,
  });
  const credentials = await ops.ok<{ username: string; password: string }>('POST', `/drivers/${driverId}/devices`, {
    deviceId: 'phone',
  });
  const driver = await platform.as('driver', driverId);
  await driver.ok('POST', `/drivers/${driverId}/shift`, { onShift: true });
  return connectDevice(platform.app.addresses.mqtt, { driverId, ...credentials });
}

export async function connectDevice(
  url: string,
  device: { readonly driverId: string; readonly username: string; readonly password: string },
): Promise<Device> {
  const { driverId, username, password } = device;
  const client = await mqtt.connectAsync(url, {
    username,
    password,
    clientId: `${username}-${process.pid}`,
    reconnectPeriod: 0,
  });
  // A broker that ends the connection is what some tests are about; they look at the connection.
  client.on('error', () => undefined);
  return {
    username,
    password,
    client,
    driverId,
    async publish(place, recordedAt = new Date()) {
      const payload = JSON.stringify({ ...place, recordedAt: recordedAt.toISOString(), accuracyM: 4 });
      await client.publishAsync(`drivers/${driverId}/location`, payload, { qos: 1 });
    },
    close: () => client.endAsync(true),
  };
}
