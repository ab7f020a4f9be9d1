import { Type } from 'typebox';
import type { PluginContext } from '#plugin-api';
import { DriverId, DriverParams } from './driver.ts';
import { driverNotFound } from './errors.ts';
import {
  planRoute,
  takeOrder,
  type PlannedStop,
  type RouteOptimiser,
  type RouteOrder,
  type RoutePlan,
  type RouteProblem,
} from './route-plan.ts';
import type { Settings } from './settings.ts';
import { listActive, type StoredAssignment } from './store/assignments.ts';
import { findDriver } from './store/drivers.ts';
import { findPosition } from './store/positions.ts';
import { usualSpeedMps } from './vehicle.ts';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const nullableInstant = Type.Union([instant, Type.Null()]);

const RouteStop = Type.Object(
  {
    orderId: Type.String({ maxLength: 64 }),
    kind: Type.Enum(['pickup', 'destination']),
    lat: Type.Number(),
    lon: Type.Number(),
    parcels: Type.Integer({ minimum: 1 }),
    window: Type.Object({ start: nullableInstant, end: nullableInstant }, closed),
    arriveAt: instant,
    leaveAt: instant,
    lateSeconds: Type.Integer({ minimum: 0 }),
  },
  closed,
);
const Route = Type.Object(
  {
    driverId: DriverId,
    source: Type.Enum(['insertion', 'vroom']),
    startsAtPosition: Type.Boolean({
      description: 'False: where the driver is is not known, and the times begin at the first stop',
    }),
    stops: Type.Array(RouteStop, { maxItems: 400 }),
  },
  closed,
);

export interface RouteTools {
  readonly settings: Settings;
  readonly now: () => number;
  /** Undefined: routes are planned here. */
  readonly optimiser: RouteOptimiser | undefined;
}

export function registerRouteRoutes(ctx: PluginContext, { settings, now, optimiser }: RouteTools): void {
  ctx.http.get(
    '/drivers/{driverId}/route',
    {
      summary: "The stops of a driver's orders, in the order to drive them; times are estimates",
      roles: ['driver', 'ops'],
      params: DriverParams,
      response: { 200: Route },
    },
    async ({ principal, params: { driverId } }) => {
      if (principal.role === 'driver' && principal.id !== driverId) return driverNotFound(driverId);
      const driver = await findDriver(ctx.db, driverId);
      if (driver === undefined) return driverNotFound(driverId);
      const start = (await findPosition(ctx.db, driverId, settings.silentSeconds)) ?? null;
      const problem: RouteProblem = {
        start,
        startMs: now(),
        speedMps: usualSpeedMps(driver.vehicle),
        stopSeconds: settings.stopSeconds,
        capacity: driver.capacity.parcels,
        orders: (await listActive(ctx.db, driverId)).map(toRouteOrder),
      };
      const { plan, source } = await solve(problem, optimiser);
      const body = { driverId, source, startsAtPosition: start !== null, stops: plan.stops.map(toShown) };
      return { status: 200, body };
    },
  );
}

/** By the optimiser where there is one, it knows where the driver is, and its answer can be driven; else by insertion. */
async function solve(
  problem: RouteProblem,
  optimiser: RouteTools['optimiser'],
): Promise<{ readonly plan: RoutePlan; readonly source: 'insertion' | 'vroom' }> {
  if (optimiser !== undefined && problem.start !== null && problem.orders.length > 1) {
    const answer = await optimiser.order(problem);
    const plan = answer.kind === 'ordered' ? takeOrder(problem, answer.stops) : undefined;
    if (plan !== undefined) return { plan, source: optimiser.name };
  }
  return { plan: planRoute(problem), source: 'insertion' };
}

export function toRouteOrder(assignment: StoredAssignment): RouteOrder {
  const { orderId, parcels, pickupLat, pickupLon, destinationLat, destinationLon, pickedUpAt } = assignment;
  const { windowStart, windowEnd } = assignment;
  const toMs = (text: string | null): number | null => (text === null ? null : Date.parse(text));
  const isWaiting = pickedUpAt === null && pickupLat !== null && pickupLon !== null;
  return {
    orderId,
    parcels,
    pickup: isWaiting
      ? {
          orderId,
          kind: 'pickup',
          place: { lat: pickupLat, lon: pickupLon },
          startMs: toMs(windowStart),
          endMs: toMs(windowEnd),
          parcels,
        }
      : null,
    destination:
      destinationLat === null || destinationLon === null
        ? null
        : {
            orderId,
            kind: 'destination',
            place: { lat: destinationLat, lon: destinationLon },
            startMs: null,
            endMs: null,
            parcels,
          },
  };
}

function toShown(stop: PlannedStop): object {
  const toInstant = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
  const { orderId, kind, place, parcels, startMs, endMs, arriveMs, leaveMs, lateSeconds } = stop;
  return {
    orderId,
    kind,
    ...place,
    parcels,
    window: { start: toInstant(startMs), end: toInstant(endMs) },
    arriveAt: toInstant(arriveMs),
    leaveAt: toInstant(leaveMs),
    lateSeconds: Math.round(lateSeconds),
  };
}
