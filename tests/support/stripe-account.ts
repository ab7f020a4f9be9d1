/** What an account at Stripe holds: payment intents with manual capture, refunds, disputes, and the events that tell of them. */
import { randomBytes } from 'node:crypto';

export interface StripeRequest {
  readonly method: string;
  /** Without ids: `/v1/payment_intents/{id}/capture`. */
  readonly path: string;
  readonly idempotencyKey: string | undefined;
  readonly params: Readonly<Record<string, string>>;
}

export interface StripeReply {
  readonly status: number;
  readonly body: object;
}

interface Intent {
  id: string;
  object: 'payment_intent';
  amount: number;
  amount_received: number;
  amount_capturable: number;
  currency: string;
  status: string;
  created: number;
  metadata: Record<string, string>;
  cancellation_reason: string | null;
  last_payment_error: Record<string, unknown> | null;
  latest_charge: { id: string; object: 'charge'; amount_refunded: number; disputed: boolean } | null;
}

interface Refund {
  id: string;
  object: 'refund';
  amount: number;
  status: string;
  payment_intent: string;
  metadata: Record<string, string>;
}

interface Dispute {
  id: string;
  object: 'dispute';
  amount: number;
  status: string;
  reason: string;
  payment_intent: string;
}

export interface StripeEvent {
  readonly id: string;
  readonly type: string;
  readonly body: string;
}

export interface StripeAccount {
  readonly intents: ReadonlyMap<string, Intent>;
  readonly refunds: readonly Refund[];
  /** As webhooks would carry them, in the order of what happened. */
  readonly events: readonly StripeEvent[];
  handle(request: StripeRequest, segments: readonly string[]): StripeReply;
  /** What happens at Stripe without us: a reservation expires, a refund in the dashboard, a bank that disputes. */
  expire(id: string): void;
  refundByHand(id: string, amount: number): void;
  failRefund(id: string): void;
  dispute(id: string, status: string): void;
  /** A payment of another system on the same account. */
  addForeign(amount: number): string;
}

const newId = (prefix: string): string => `${prefix}_${randomBytes(12).toString('hex')}`;

export function failure(status: number, type: string, error: Readonly<Record<string, unknown>>): StripeReply {
  return { status, body: { error: { type, ...error } } };
}

const missing = (what: string): StripeReply =>
  failure(404, 'invalid_request_error', { code: 'resource_missing', message: `No such ${what}` });

const declines: Readonly<Record<string, string>> = {
  tok_chargeDeclined: 'generic_decline',
  tok_chargeDeclinedInsufficientFunds: 'insufficient_funds',
};

export function createStripeAccount(): StripeAccount {
  const intents = new Map<string, Intent>();
  const methods = new Map<string, string>();
  const refunds: Refund[] = [];
  const disputes: Dispute[] = [];
  const events: StripeEvent[] = [];

  function tell(type: string, object: object): void {
    const id = newId('evt');
    const created = Math.floor(Date.now() / 1000);
    events.push({ id, type, body: JSON.stringify({ id, object: 'event', type, created, data: { object } }) });
  }

  function create({ params }: StripeRequest): StripeReply {
    const token = methods.get(params['payment_method'] ?? '') ?? params['payment_method'] ?? '';
    const amount = Number(params['amount']);
    if (params['confirm'] !== 'true' || params['capture_method'] !== 'manual' || !(amount > 0)) {
      return failure(400, 'invalid_request_error', { code: 'parameter_invalid_integer', message: 'Invalid integer' });
    }
    if (!/^(tok|pm)_/.test(token)) return failure(400, 'invalid_request_error', { code: 'resource_missing' });
    const decline = declines[token];
    const error = decline === undefined ? null : { type: 'card_error', code: 'card_declined', decline_code: decline };
    const intent: Intent = {
      id: newId('pi'),
      object: 'payment_intent',
      amount,
      amount_received: 0,
      amount_capturable: error === null ? amount : 0,
      currency: params['currency'] ?? '',
      status: error === null ? 'requires_capture' : 'requires_payment_method',
      created: Math.floor(Date.now() / 1000),
      metadata: metadataOf(params),
      cancellation_reason: null,
      last_payment_error: error,
      latest_charge: null,
    };
    intents.set(intent.id, intent);
    tell(error === null ? 'payment_intent.amount_capturable_updated' : 'payment_intent.payment_failed', intent);
    return error === null
      ? { status: 200, body: { ...intent } }
      : { status: 402, body: { error: { ...error, message: 'Declined', payment_intent: { ...intent } } } };
  }

  function capture(intent: Intent, { params }: StripeRequest): StripeReply {
    const amount = Number(params['amount_to_capture'] ?? intent.amount);
    if (intent.status !== 'requires_capture') return unexpected(intent);
    if (amount > intent.amount_capturable) return failure(400, 'invalid_request_error', { code: 'amount_too_large' });
    intent.latest_charge = { id: newId('ch'), object: 'charge', amount_refunded: 0, disputed: false };
    Object.assign(intent, { status: 'succeeded', amount_received: amount, amount_capturable: 0 });
    tell('payment_intent.succeeded', intent);
    return { status: 200, body: { ...intent, latest_charge: intent.latest_charge.id } };
  }

  function cancel(intent: Intent, reason: string | null): StripeReply {
    if (intent.status !== 'requires_capture') return unexpected(intent);
    Object.assign(intent, { status: 'canceled', cancellation_reason: reason, amount_capturable: 0 });
    tell('payment_intent.canceled', intent);
    return { status: 200, body: { ...intent } };
  }

  const unexpected = ({ status }: Intent): StripeReply =>
    failure(400, 'invalid_request_error', {
      code: 'payment_intent_unexpected_state',
      message: `This PaymentIntent could not be changed because it has a status of ${status}`,
    });

  function refund(params: Readonly<Record<string, string>>): StripeReply {
    const intent = intents.get(params['payment_intent'] ?? '');
    if (intent === undefined) return missing('payment_intent');
    const amount = Number(params['amount']);
    const charge = intent.latest_charge;
    if (charge === null || charge.amount_refunded + amount > intent.amount_received) {
      return failure(400, 'invalid_request_error', { code: 'charge_already_refunded' });
    }
    charge.amount_refunded += amount;
    const made: Refund = {
      id: newId('re'),
      object: 'refund',
      amount,
      status: 'succeeded',
      payment_intent: intent.id,
      metadata: metadataOf(params),
    };
    refunds.push(made);
    tell('refund.created', made);
    return { status: 200, body: { ...made } };
  }

  function listIntents({ params }: StripeRequest): StripeReply {
    const newest = [...intents.values()]
      .toReversed()
      .filter(
        ({ created }) =>
          created >= Number(params['created[gte]'] ?? 0) && created < Number(params['created[lt]'] ?? 1e12),
      );
    const after = params['starting_after'];
    const begin = after === undefined ? 0 : newest.findIndex(({ id }) => id === after) + 1;
    const limit = Number(params['limit'] ?? 10);
    return listOf(newest.slice(begin, begin + limit), newest.length > begin + limit);
  }

  const listOf = (data: readonly object[], hasMore = false): StripeReply => ({
    status: 200,
    body: { object: 'list', url: '/v1', has_more: hasMore, data },
  });
  const ofIntent = <T extends { readonly payment_intent: string }>(all: readonly T[], { params }: StripeRequest): T[] =>
    all.filter(({ payment_intent: of }) => of === params['payment_intent']);

  return {
    intents,
    refunds,
    events,
    handle(request, [, , id = '']) {
      const intent = intents.get(id);
      const route = `${request.method} ${request.path}`;
      if (route === 'POST /v1/payment_methods') {
        const method = newId('pm');
        methods.set(method, request.params['card[token]'] ?? '');
        return { status: 200, body: { id: method, object: 'payment_method' } };
      }
      if (route === 'POST /v1/payment_intents') return create(request);
      if (route === 'GET /v1/payment_intents') return listIntents(request);
      if (route === 'POST /v1/refunds') return refund(request.params);
      if (route === 'GET /v1/refunds') return listOf(ofIntent(refunds, request));
      if (route === 'GET /v1/disputes') return listOf(ofIntent(disputes, request));
      if (intent === undefined) return missing('payment_intent');
      if (route === 'GET /v1/payment_intents/{id}') return { status: 200, body: { ...intent } };
      if (route === 'POST /v1/payment_intents/{id}/capture') return capture(intent, request);
      if (route === 'POST /v1/payment_intents/{id}/cancel') return cancel(intent, 'requested_by_customer');
      return failure(404, 'invalid_request_error', { message: `Unrecognized request URL (${route})` });
    },
    expire: (id) => void cancel(intents.get(id) as Intent, 'automatic'),
    refundByHand: (id, amount) => void refund({ payment_intent: id, amount: String(amount) }),
    failRefund(id) {
      const made = refunds.find((known) => known.id === id) as Refund;
      made.status = 'failed';
      const { latest_charge: charge } = intents.get(made.payment_intent) as Intent;
      if (charge !== null) charge.amount_refunded -= made.amount;
      tell('refund.failed', made);
    },
    dispute(id, status) {
      const intent = intents.get(id) as Intent;
      const known = disputes.find(({ payment_intent: of }) => of === id);
      const dispute: Dispute = known ?? {
        id: newId('dp'),
        object: 'dispute',
        amount: intent.amount_received,
        status,
        reason: 'fraudulent',
        payment_intent: id,
      };
      dispute.status = status;
      if (known === undefined) disputes.push(dispute);
      (intent.latest_charge as { disputed: boolean }).disputed = true;
      tell(known === undefined ? 'charge.dispute.created' : 'charge.dispute.closed', dispute);
    },
    addForeign(amount) {
      const made = create({
        method: 'POST',
        path: '',
        idempotencyKey: undefined,
        params: {
          payment_method: 'pm_other',
          amount: String(amount),
          currency: 'eur',
          confirm: 'true',
          capture_method: 'manual',
        },
      });
      return (made.body as Intent).id;
    },
  };
}

function metadataOf(params: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = Object.entries(params).flatMap(([name, value]) => {
    const key = /^metadata\[(.+)\]$/.exec(name)?.[1];
    return key === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(pairs);
}
