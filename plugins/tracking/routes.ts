import { Type } from 'typebox';
import type { PluginContext } from '#plugin-api';
import type { ArrivalTimes } from './arrival-times.ts';
import { refuse } from './errors.ts';
import { findWatchedOrder } from './store/orders.ts';
import { decideVisibility, OrderPosition } from './visibility.ts';

const closed = { additionalProperties: false } as const;

const OrderParams = Type.Object({ orderId: Type.String({ format: 'uuid' }) }, closed);

export function registerRoutes(ctx: PluginContext, arrivalTimes: ArrivalTimes): void {
  ctx.http.get(
    '/tracking/orders/{orderId}/position',
    {
      summary: "The newest position of an order's driver; for its customer from 'on the way' to the completion",
      roles: ['customer', 'partner', 'driver', 'ops'],
      params: OrderParams,
      response: { 200: OrderPosition },
    },
    async ({ principal, params }) => {
      const orderId = params.orderId.toLowerCase();
      const order = await findWatchedOrder(ctx.db, orderId);
      const decision = decideVisibility(order, principal);
      if (decision.kind === 'hidden') return refuse('POSITION_NOT_FOUND', `Cannot show a position: ${decision.reason}`);
      if (decision.position === null) {
        return refuse('POSITION_NOT_FOUND', 'Cannot show a position: the driver has not sent one');
      }
      const { position } = decision;
      return {
        status: 200,
        body: await arrivalTimes.show({ orderId, driverId: order?.driverId ?? '', position }),
      };
    },
  );
}
