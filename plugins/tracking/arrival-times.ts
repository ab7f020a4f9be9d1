import type { PluginContext } from '#plugin-api';
import { distanceM } from './distance.ts';
import { estimateTravelSeconds, toEta, type Eta } from './eta.ts';
import { createPaces } from './paces.ts';
import type { Routing } from './routing.ts';
import type { Settings } from './settings.ts';
import { listTargets, type Target } from './store/targets.ts';
import { isOrderId, toShown, type OrderPosition, type StoredPosition } from './visibility.ts';

/** Where the driver of an order is. */
export interface Underway {
  readonly orderId: string;
  readonly driverId: string;
  readonly position: StoredPosition;
}

export interface ArrivalTimes {
  /** Remembers how fast a driver is. */
  observe(driverId: string, position: StoredPosition): void;
  /**
   * When drivers are expected, by order; null where that cannot be said. It never throws: a position is shown without.
   *
   * @param options.patient wait for the routing engine where nothing is known yet
   */
  of(orders: readonly Underway[], options: { readonly patient: boolean }): Promise<ReadonlyMap<string, Eta | null>>;
  /** An order's position as it is shown. */
  show(order: Underway): Promise<OrderPosition>;
}

export interface ArrivalTimesOptions {
  readonly settings: Pick<Settings, 'offlineSeconds' | 'devicesMax'>;
  /** Absent: times are estimated. */
  readonly routing?: Routing | undefined;
  readonly now: () => number;
}

export function createArrivalTimes(ctx: PluginContext, options: ArrivalTimesOptions): ArrivalTimes {
  const { settings, routing, now } = options;
  const paces = createPaces(ctx, settings.devicesMax);

  async function etaOf(
    { orderId, driverId, position }: Underway,
    target: Target,
    patient: boolean,
  ): Promise<Eta | null> {
    const nowMs = now();
    const fromMs = Date.parse(position.recordedAt);
    if (target.arrivedAt !== null) return { seconds: 0, at: target.arrivedAt, source: 'arrived' };
    // Of who has not been heard of for so long, nobody knows where they are now.
    if (nowMs - fromMs > settings.offlineSeconds * 1000) return null;
    const way = { key: `${orderId} ${target.stop}`, from: position, fromMs, to: target };
    const route = patient ? await routing?.find(way) : routing?.recall(way);
    if (route !== undefined) return toEta({ ...route, source: 'osrm' }, now());
    const travelSeconds = estimateTravelSeconds(distanceM(position, target), paces.speedMps(driverId));
    return toEta({ fromMs, travelSeconds, source: 'estimate' }, nowMs);
  }

  const of: ArrivalTimes['of'] = async (orders, { patient }) => {
    const wanted = orders.filter(({ orderId }) => isOrderId(orderId));
    if (wanted.length === 0) return new Map();
    try {
      const found = await listTargets(
        ctx.db,
        wanted.map(({ orderId }) => orderId),
      );
      const targets = new Map(found.map((target) => [target.orderId, target]));
      await paces.recall(wanted.filter(({ orderId }) => targets.has(orderId)));
      const etas = wanted.map(async (order) => {
        const target = targets.get(order.orderId);
        return [order.orderId, target === undefined ? null : await etaOf(order, target, patient)] as const;
      });
      return new Map(await Promise.all(etas));
    } catch (error) {
      ctx.metrics.increment('returnit_tracking_etas_failed_total', {});
      ctx.log.debug('arrival times are unknown', { error: (error as Error).message });
      return new Map();
    }
  };

  return {
    observe: (driverId, position) => paces.observe({ driverId, position }),
    of,
    async show(order) {
      const etas = await of([order], { patient: true });
      return toShown(order.position, { eta: etas.get(order.orderId) ?? null, nowMs: now() });
    },
  };
}
