/** Drivers around a place, and orders there, on a real Postgres. */
import { randomUUIDv7 } from 'node:crypto';
import type { Principal } from '#plugin-api';
import { plugin } from '../../../plugins/drivers/plugin.ts';
import type { OrderEvent } from '../../../plugins/drivers/events.ts';
import type { Sent } from '../support/database-adapter.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';

export const munich = { lat: 48.137, lon: 11.575 };
export const ops: Principal = { id: 'o1', role: 'ops' };
export const driver = (id: string): Principal => ({ id, role: 'driver' });

export interface DriverChanges {
  readonly onShift?: boolean;
  readonly onBreak?: boolean;
  readonly autoAccept?: boolean;
  readonly ageSeconds?: number;
  readonly status?: string;
  readonly vehicle?: string;
  readonly capacityParcels?: number;
}

export interface Dispatching {
  readonly data: PluginDatabase;
  /** The plugin on this database; begun anew by `reset()`. */
  readonly running: RunningPlugin;
  reset(env?: Readonly<Record<string, string>>): Promise<void>;
  /** Another node of the plugin on the same database. */
  node(env?: Readonly<Record<string, string>>): Promise<RunningPlugin>;
  /** So many metres north of the place; accepts by itself unless told otherwise. */
  addDriver(driverId: string, metres: number, changes?: DriverChanges): Promise<void>;
  /** Its newest position is so many seconds old. */
  locate(driverId: string, ageSeconds: number): Promise<void>;
  schedule(changes?: Partial<OrderEvent>): Promise<string>;
  event(name: string, orderId: string, changes?: Partial<OrderEvent>): Promise<void>;
  assignment(orderId: string): Promise<Record<string, unknown>>;
  offers(orderId: string): Promise<readonly Offered[]>;
  sentFor(orderId: string, name: string): readonly Sent[];
  /** Runs the newest job of the order's chain, or the one that was sent because something happened. */
  tryAgain(orderId: string): Promise<void>;
  accept(offer: Pick<Offered, 'offerId' | 'driverId'>, node?: RunningPlugin): Promise<Reply>;
  answer(offer: Pick<Offered, 'offerId' | 'driverId'>, verb: 'decline' | 'withdraw'): Promise<Reply>;
  byHand(verb: string, orderId: string, body?: object, headers?: Record<string, string>): Promise<Reply>;
  stop(): Promise<void>;
}

export interface Offered {
  readonly offerId: string;
  readonly driverId: string;
  readonly state: string;
  readonly reason: string | null;
}

let deliveries = 0;

export function toOrder(orderId: string, changes: Partial<OrderEvent> = {}): OrderEvent {
  const nowMs = Date.now();
  const pickupWindow = {
    start: new Date(nowMs).toISOString(),
    end: new Date(nowMs + 3_600_000).toISOString(),
  };
  const destination = { lat: munich.lat + 0.02, lon: munich.lon };
  return { orderId, customerId: 'c1', pickup: munich, pickupWindow, destination, ...changes };
}

export async function createDispatching(): Promise<Dispatching> {
  const data = await createPluginDatabase('drivers', 'tracking');
  let running = await runPlugin(plugin, data.db);

  const sentFor = (orderId: string, name: string): readonly Sent[] =>
    data.find(name).filter((entry) => entry.data['orderId'] === orderId);
  const event = (name: string, orderId: string, changes: Partial<OrderEvent> = {}): Promise<void> =>
    running.deliver(name, toOrder(orderId, changes), `delivery-${(deliveries += 1)}`);

  return {
    data,
    get running() {
      return running;
    },
    async reset(env = {}) {
      await data.sql(`truncate drivers, driver_devices, driver_assignments, driver_assignment_steps, driver_offers,
        driver_shifts, driver_documents, driver_status_changes, tracking.newest_positions`);
      // Each test sees what its own transactions see: no picture of an earlier moment.
      running = await runPlugin(plugin, data.db, { DRIVERS_INDEX_MS: '0', ...env });
    },
    node: (env = {}) => runPlugin(plugin, data.db, { DRIVERS_INDEX_MS: '0', ...env }),
    async addDriver(driverId, metres, changes = {}) {
      const { onShift = true, onBreak = false, autoAccept = true, ageSeconds = 0 } = changes;
      await data.sql(
        `insert into drivers (driver_id, name, vehicle, on_shift, on_break, auto_accept, status, capacity_parcels)
          values ($1, 'x', $2, $3, $4, $5, $6, $7)`,
        [
          driverId,
          changes.vehicle ?? 'van',
          onShift,
          onBreak,
          autoAccept,
          changes.status ?? 'approved',
          changes.capacityParcels ?? null,
        ],
      );
      await data.sql(
        `insert into tracking.newest_positions (driver_id, device, recorded_at, lat, lon)
          values ($1, 'x', now() - make_interval(secs => $2), $3, $4)`,
        [driverId, ageSeconds, munich.lat + metres / 111_195, munich.lon],
      );
    },
    async locate(driverId, ageSeconds) {
      await data.sql(
        `update tracking.newest_positions set recorded_at = now() - make_interval(secs => $2) where driver_id = $1`,
        [driverId, ageSeconds],
      );
    },
    async schedule(changes = {}) {
      const orderId = changes.orderId ?? randomUUIDv7();
      await event('order.scheduled', orderId, changes);
      return orderId;
    },
    event,
    async assignment(orderId) {
      return (await data.sql('select * from driver_assignments where order_id = $1', [orderId]))[0] ?? {};
    },
    async offers(orderId) {
      const rows = await data.sql(
        `select offer_id as "offerId", driver_id as "driverId", state, reason from driver_offers
          where order_id = $1 order by created_at, distance_m, offer_id`,
        [orderId],
      );
      return rows as unknown as readonly Offered[];
    },
    sentFor,
    async tryAgain(orderId) {
      await running.work('drivers.assign', sentFor(orderId, 'drivers.assign').at(-1)?.data ?? { orderId });
    },
    accept: ({ offerId, driverId }, node = running) =>
      node.request('POST /drivers/{driverId}/offers/{offerId}/accept', {
        principal: driver(driverId),
        params: { driverId, offerId },
      }),
    answer: ({ offerId, driverId }, verb) =>
      running.request(`POST /drivers/{driverId}/offers/{offerId}/${verb}`, {
        principal: verb === 'decline' ? driver(driverId) : ops,
        params: { driverId, offerId },
        body: {},
      }),
    byHand: (verb, orderId, body = {}, headers = {}) =>
      running.request(`POST /drivers/assignments/{orderId}/${verb}`, {
        principal: ops,
        params: { orderId },
        body,
        headers,
      }),
    stop: () => data.stop(),
  };
}
