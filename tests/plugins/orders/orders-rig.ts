/** The plugin on a database of its own, and what its tests do with it again and again. */
import assert from 'node:assert/strict';
import type { Principal } from '#plugin-api';
import type { NewOrder } from '../../../plugins/orders/order.ts';
import { plugin } from '../../../plugins/orders/plugin.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { toBooking } from './booking-fixture.ts';

export const customer: Principal = { id: 'c1', role: 'customer' };
export const partner: Principal = { id: 'p1', role: 'partner' };
export const driver: Principal = { id: 'd1', role: 'driver' };
export const ops: Principal = { id: 'o1', role: 'ops' };

export interface ShownOrder {
  readonly orderId: string;
  readonly version: number;
  readonly status: string;
  readonly attempt: number;
  readonly driverId: string | null;
  readonly notes: string | null;
  readonly failureReason: string | null;
  readonly pickupWindow: { readonly start: string; readonly end: string };
  readonly parcels: readonly { readonly code: string; readonly description: string }[];
  readonly price: { readonly amountMinor: number };
  readonly history: readonly {
    readonly sequence: number;
    readonly action: string | null;
    readonly from: string | null;
    readonly to: string;
    readonly actorKind: string;
    readonly actorId: string;
    readonly reason: string | null;
    readonly traceId: string | null;
  }[];
}

export interface OrdersRig {
  readonly data: PluginDatabase;
  readonly running: RunningPlugin;
  /** Empties the tables and starts the plugin anew, with these settings. */
  restart(env?: Readonly<Record<string, string>>): Promise<void>;
  post(
    path: string,
    request: { principal: Principal; body?: object; headers?: Record<string, string> },
  ): Promise<Reply>;
  book(principal: Principal, changes?: Partial<NewOrder>): Promise<Reply>;
  /** Booked and, by its events, as far as this: its id. */
  reach(status: 'created' | 'scheduled' | 'assigned' | 'on_the_way' | 'pickup_failed' | 'picked_up'): Promise<string>;
  act(principal: Principal, orderId: unknown, verb: string, body?: object): Promise<Reply>;
  get(orderId: unknown): Promise<ShownOrder>;
  /** In the order in which they were published. */
  eventsOf(orderId: unknown): { readonly name: string; readonly data: Readonly<Record<string, unknown>> }[];
  stop(): Promise<void>;
}

export async function createOrdersRig(): Promise<OrdersRig> {
  const data = await createPluginDatabase('orders');
  let running = await runPlugin(plugin, data.db);
  const rig: OrdersRig = {
    data,
    get running() {
      return running;
    },
    async restart(env = {}) {
      await data.sql('truncate orders, pickup_windows, quotes cascade');
      running = await runPlugin(plugin, data.db, env);
    },
    post: (path, request) => running.request(`POST ${path}`, request),
    book: (principal, changes = {}) => rig.post('/orders', { principal, body: toBooking(changes) }),
    async reach(status) {
      const { body } = await rig.book(customer);
      const orderId = String(body['orderId']);
      const steps: [string, () => Promise<unknown>][] = [
        ['created', () => Promise.resolve()],
        ['scheduled', () => running.deliver('payment.authorised', { orderId })],
        ['assigned', () => running.deliver('driver.assigned', { orderId, driverId: 'd1', attempt: 1, sequence: 1 })],
        ['on_the_way', () => rig.act(driver, orderId, 'start')],
        ['picked_up', () => rig.act(driver, orderId, 'pickup')],
      ];
      const last = status === 'pickup_failed' ? 'on_the_way' : status;
      for (const [name, take] of steps) {
        await take();
        if (name === last) break;
      }
      if (status === 'pickup_failed') await rig.act(driver, orderId, 'fail-pickup', { reason: 'nobody_home' });
      assert.equal((await rig.get(orderId)).status, status);
      return orderId;
    },
    act: (principal, orderId, verb, body) =>
      running.request(`POST /orders/{orderId}/${verb}`, {
        principal,
        params: { orderId },
        ...(body === undefined && verb !== 'cancel' ? {} : { body: body ?? {} }),
      }),
    async get(orderId) {
      const reply = await running.request('GET /orders/{orderId}', { principal: ops, params: { orderId } });
      assert.equal(reply.status, 200);
      return reply.body as unknown as ShownOrder;
    },
    eventsOf: (orderId) =>
      data.sent.filter((entry) => entry.data['orderId'] === orderId).toSorted((a, b) => a.place - b.place),
    stop: () => data.stop(),
  };
  return rig;
}

const slotMs = 2 * 3_600_000;
/** Taken once: a test goes on into the next slot without its windows moving. */
const baseSlot = Math.floor(Date.now() / slotMs);

/** A window that fills one slot of two hours, so many slots from the one in which the tests began. */
export function slotIn(slots: number): { start: string; end: string } {
  const startMs = (baseSlot + slots) * slotMs;
  return { start: new Date(startMs).toISOString(), end: new Date(startMs + slotMs).toISOString() };
}
