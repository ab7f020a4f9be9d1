import { Type } from 'typebox';
import type { HttpReply, Principal, Role } from '#plugin-api';
import { toActor } from '../actor.ts';
import { refuse } from '../errors.ts';
import { expectedVersion } from '../etag.ts';
import { failureReasons } from '../failure-reasons.ts';
import type { OrderAction } from '../lifecycle.ts';
import { Order, PickupWindow } from '../order.ts';
import { takeStep, type Outcome, type Step } from '../progress.ts';
import { countStep } from '../step-metrics.ts';
import { checkWindow } from '../window.ts';
import { refuseFull, WindowFull } from '../window-full.ts';
import { OrderParams, type RouteDeps } from './parts.ts';
import { toReply } from './step-reply.ts';

const remark = Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]{1,200}$' });
const closed = { additionalProperties: false } as const;

const CancelOrder = Type.Object({ reason: Type.Optional(remark) }, closed);
const FailPickup = Type.Object({ reason: Type.Enum([...failureReasons]), remark: Type.Optional(remark) }, closed);
const Reschedule = Type.Object({ pickupWindow: PickupWindow }, closed);

const driverSteps: readonly (readonly [verb: string, action: OrderAction, summary: string])[] = [
  ['start', 'start', 'The driver is on the way to the customer'],
  ['arrive', 'arrive', 'The driver is at the door'],
  ['pickup', 'pick_up', 'The driver has the parcels'],
  ['deliver', 'deliver', 'The driver has handed the parcels over'],
  ['complete', 'complete', 'The store, carrier or warehouse has accepted the parcels'],
];

export function registerStepRoutes(deps: RouteDeps): void {
  const { ctx, now } = deps;
  const options = (summary: string, roles: readonly Role[]) => ({
    summary,
    roles,
    params: OrderParams,
    response: { 200: Order },
    ifMatch: true,
  });

  ctx.http.post(
    '/orders/{orderId}/cancel',
    {
      ...options('Cancels an order whose parcels have not been picked up', ['customer', 'partner', 'ops']),
      body: CancelOrder,
    },
    (request) => act(deps, request, { action: 'cancel', reason: request.body.reason }),
  );

  ctx.http.post(
    '/orders/{orderId}/fail-pickup',
    { ...options('The parcels cannot be picked up now', ['driver', 'ops']), body: FailPickup },
    (request) => act(deps, request, { action: 'fail_pickup', ...request.body }),
  );

  ctx.http.post(
    '/orders/{orderId}/reschedule',
    { ...options('A failed pickup is tried again', ['customer', 'partner', 'ops']), body: Reschedule },
    (request) => {
      const { pickupWindow } = request.body;
      const refusal = checkWindow(pickupWindow, now());
      if (refusal !== undefined) return refuse(refusal.code, refusal.detail);
      return act(deps, request, { action: 'reschedule', pickupWindow });
    },
  );

  for (const [verb, action, summary] of driverSteps) {
    ctx.http.post(`/orders/{orderId}/${verb}`, options(summary, ['driver', 'ops']), (request) =>
      act(deps, request, { action }),
    );
  }
}

interface StepRequest {
  readonly principal: Principal;
  readonly params: { readonly orderId: string };
  readonly headers: Readonly<Record<string, string>>;
  readonly id: string;
}

async function act(
  deps: RouteDeps,
  { principal, params, headers, id }: StepRequest,
  step: Pick<Step, 'action' | 'reason' | 'remark' | 'pickupWindow'>,
): Promise<HttpReply> {
  const { orderId } = params;
  const actor = toActor(principal);
  const outcome = await take(deps, { ...step, orderId, actor, traceId: id, expectedVersion: expectedVersion(headers) });
  countStep(deps.ctx, { action: step.action, outcome, nowMs: deps.now() });
  return toReply(outcome, orderId);
}

async function take({ ctx, settings, now }: RouteDeps, step: Step): Promise<Outcome> {
  try {
    const rules = { settings, nowMs: now(), continueTrace: ctx.continueTrace };
    return await ctx.db.transaction((tx) => takeStep(tx, step, rules));
  } catch (error) {
    if (!(error instanceof WindowFull)) throw error;
    ctx.metrics.increment('returnit_orders_windows_full_total', { route: 'reschedule' });
    return { kind: 'refused', ...(await refuseFull(ctx.db, error, settings)) };
  }
}
