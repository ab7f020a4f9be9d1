import type { Place } from './distance.ts';
import type { OptimiserFailure, RouteOptimiser, RouteOrder, RouteProblem, Stop, StopKind } from './route-plan.ts';

export interface VroomOptions {
  /** `https://vroom.example:3000`, with or without a path. */
  readonly url: URL;
  readonly timeoutMs: number;
  /** @default the global one, which asks for the `net` permission */
  readonly fetch?: typeof globalThis.fetch;
}

type Answer = Awaited<ReturnType<RouteOptimiser['order']>>;

/** VROOM's HTTP API (vroom-express): one vehicle, a shipment for each order. It knows roads through its own engine. */
export function createVroom({ url, timeoutMs, fetch = globalThis.fetch }: VroomOptions): RouteOptimiser {
  return {
    name: 'vroom',
    async order(problem) {
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        const response = await fetch(url.href, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(toRequest(problem)),
          signal,
          redirect: 'error',
        });
        const body: unknown = await response.json().catch(() => undefined);
        return response.ok ? readAnswer(problem, body) : failed('refused');
      } catch {
        // Its message may hold places. What happened is told by the outcome.
        return failed(signal.aborted ? 'timeout' : 'unreachable');
      }
    },
  };
}

const failed = (reason: OptimiserFailure): Answer => ({ kind: 'failed', reason });

/** Longitude first; about a metre. */
const toLocation = ({ lat, lon }: Place): readonly number[] => [Number(lon.toFixed(5)), Number(lat.toFixed(5))];

/** Ids are whole numbers from 1: the places of the orders in the problem. */
function toRequest(problem: RouteProblem): object {
  const { start, startMs, capacity, orders, stopSeconds } = problem;
  const nowSeconds = Math.floor(startMs / 1000);
  const toTask = (stop: Stop, id: number): object => ({
    id,
    location: toLocation(stop.place),
    service: stopSeconds,
    ...toWindows(stop, nowSeconds),
  });
  const numbered = orders.map((order, index) => ({ order, id: index + 1 }));
  return {
    vehicles: [
      {
        id: 1,
        ...(start === null ? {} : { start: toLocation(start) }),
        capacity: [capacity],
        time_window: [nowSeconds, nowSeconds + daySeconds],
      },
    ],
    shipments: numbered.flatMap(({ order: { pickup, destination, parcels }, id }) =>
      pickup === null || destination === null
        ? []
        : [{ amount: [parcels], pickup: toTask(pickup, id), delivery: toTask(destination, id) }],
    ),
    jobs: numbered.flatMap(({ order, id }) => toJob(order, (stop) => toTask(stop, id))),
  };
}

const daySeconds = 86_400;

/** What has one stop left: it is on board already, or nobody knows where it goes. */
function toJob({ pickup, destination, parcels }: RouteOrder, toTask: (stop: Stop) => object): readonly object[] {
  if (pickup === null && destination !== null) return [{ ...toTask(destination), delivery: [parcels] }];
  if (pickup !== null && destination === null) return [{ ...toTask(pickup), pickup: [parcels] }];
  return [];
}

/** VROOM leaves out what it would be late for: a window that is over is none. */
function toWindows({ startMs, endMs }: Stop, nowSeconds: number): object {
  if (endMs === null) return {};
  const end = Math.floor(endMs / 1000);
  const start = startMs === null ? nowSeconds : Math.floor(startMs / 1000);
  return end <= nowSeconds || start >= end ? {} : { time_windows: [[start, end]] };
}

interface VroomBody {
  readonly code?: unknown;
  readonly unassigned?: unknown;
  readonly routes?: unknown;
}

/** `{"code": 0, "unassigned": [], "routes": [{"steps": [{"type": "pickup", "id": 1, …}, …]}]}` */
function readAnswer(problem: RouteProblem, body: unknown): Answer {
  const { code, unassigned, routes } = (body ?? {}) as VroomBody;
  if (code !== 0 || !Array.isArray(routes) || !Array.isArray(unassigned)) return failed('answer');
  if (unassigned.length > 0) return failed('unassigned');
  const steps = (routes[0] as { readonly steps?: unknown } | undefined)?.steps;
  if (!Array.isArray(steps)) return failed('answer');
  const stops: Pick<Stop, 'orderId' | 'kind'>[] = [];
  for (const step of steps as readonly { readonly type?: unknown; readonly id?: unknown }[]) {
    const order = problem.orders[Number(step?.id) - 1];
    const kind = kindOf(step?.type, order);
    if (kind === 'passed over') continue;
    if (kind === undefined || order === undefined) return failed('answer');
    stops.push({ orderId: order.orderId, kind });
  }
  return { kind: 'ordered', stops };
}

function kindOf(type: unknown, order: RouteOrder | undefined): StopKind | 'passed over' | undefined {
  if (type === 'start' || type === 'end' || type === 'break') return 'passed over';
  if (type === 'pickup') return 'pickup';
  if (type === 'delivery') return 'destination';
  if (type === 'job') return order?.pickup === null ? 'destination' : 'pickup';
  return undefined;
}
