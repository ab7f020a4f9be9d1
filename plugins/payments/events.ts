import type { PluginContext, Transaction } from '#plugin-api';
import { changePayment, sendOperation } from './progress.ts';
import { isFeeDue, type Cancellation } from './policy.ts';
import type { ProviderName } from './settings.ts';
import type { Draft } from './draft.ts';
import { insertOperation } from './store/operations.ts';
import { expectPayment, openPayment } from './store/payments.ts';
import { complete, wishFor, type Policy } from './wishes.ts';

/** What matters here of an order's events. Those of an earlier form lack what is optional. */
export interface OrderEvent extends Cancellation {
  readonly orderId: string;
  readonly version?: number;
  readonly driverId?: string | null;
}

export interface OrderCreated extends OrderEvent {
  readonly customerId: string;
  readonly partnerId: string | null;
  readonly payment: { readonly amountMinor: number; readonly currency: string; readonly method: string };
}

export interface EventDeps {
  readonly policy: Policy;
  /** Asked for new payments. */
  readonly provider: ProviderName;
}

/**
 * They may come late, twice and in any order: each puts down what it says, and what follows is decided of all that is
 * known. The provider is asked by jobs, outside of any transaction.
 */
export function registerEvents(ctx: PluginContext, deps: EventDeps): void {
  ctx.events.on<OrderCreated>('order.created', (event, tx) => open(tx, event.data, deps));
  ctx.events.on<OrderEvent>('order.delivered', ({ data }, tx) =>
    note(tx, { orderId: data.orderId, deps }, (draft) => wishFor(draft, 'capture', data.version ?? null)),
  );
  ctx.events.on<OrderEvent>('order.cancelled', ({ data }, tx) =>
    note(tx, { orderId: data.orderId, deps }, (draft) =>
      wishFor(draft, isFeeDue(data) ? 'fee' : 'release', data.version ?? null),
    ),
  );
  ctx.events.on<OrderEvent>('order.completed', ({ data }, tx) =>
    note(tx, { orderId: data.orderId, deps }, (draft) => complete(draft, data.driverId ?? null)),
  );
}

async function open(tx: Transaction, order: OrderCreated, { policy, provider }: EventDeps): Promise<void> {
  const { orderId, customerId, partnerId, payment } = order;
  const { amountMinor, currency } = payment;
  const opened = await openPayment(tx, { orderId, customerId, partnerId, provider, ...payment });
  if (opened === undefined) return;
  if (opened.isFresh) {
    // As `changePayment` would, which has nothing else to decide for nearly all of them.
    const facts = { paymentId: opened.paymentId, orderId, currency };
    const first = { kind: 'authorise', number: 1, amountMinor, requestedBy: 'policy', reason: null } as const;
    await sendOperation(tx, await insertOperation(tx, { facts, ...first }));
    return;
  }
  await changePayment(tx, { key: { orderId }, policy }, () => undefined);
}

interface Noted {
  readonly orderId: string;
  readonly deps: EventDeps;
}

async function note(tx: Transaction, { orderId, deps }: Noted, change: (draft: Draft) => void): Promise<void> {
  const options = { key: { orderId }, policy: deps.policy };
  if ((await changePayment(tx, options, change)) !== undefined) return;
  await expectPayment(tx, orderId);
  await changePayment(tx, options, change);
}
