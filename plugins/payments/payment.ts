/** Payments as the API shows them. */
import { Type, type Static } from 'typebox';
import { operationKinds, operationStatuses } from './operation.ts';
import { paymentStatuses } from './payment-state.ts';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const id = Type.String({ maxLength: 200 });
const reason = Type.String({ maxLength: 200 });
const minor = Type.Integer({ minimum: 0, description: "In the currency's smallest unit" });
const nullable = <T extends typeof id>(schema: T) => Type.Union([schema, Type.Null()]);

const paymentFields = {
  paymentId: id,
  orderId: id,
  status: Type.Enum([...paymentStatuses]),
  amountMinor: minor,
  capturedMinor: minor,
  refundedMinor: minor,
  currency: Type.String({ maxLength: 3 }),
  declineReason: nullable(reason),
  createdAt: instant,
  updatedAt: instant,
};

export const Payment = Type.Object(paymentFields, closed);
export type Payment = Static<typeof Payment>;

export const PaymentList = Type.Object({ payments: Type.Array(Payment, { maxItems: 10 }) }, closed);

export const ShownOperation = Type.Object(
  {
    operationId: id,
    kind: Type.Enum([...operationKinds]),
    number: Type.Integer({ minimum: 1 }),
    idempotencyKey: id,
    amountMinor: minor,
    currency: Type.String({ maxLength: 3 }),
    status: Type.Enum([...operationStatuses]),
    asks: Type.Integer({ minimum: 0, description: 'How often the provider was asked' }),
    askedAt: nullable(instant),
    answeredAt: nullable(instant),
    providerReference: nullable(id),
    failureReason: nullable(reason),
    requestedBy: id,
    reason: nullable(reason),
    createdAt: instant,
  },
  closed,
);
export type ShownOperation = Static<typeof ShownOperation>;

const Dispute = Type.Object(
  {
    disputeId: id,
    state: Type.Enum(['opened', 'won', 'lost']),
    amountMinor: minor,
    reason,
    openedAt: instant,
    closedAt: nullable(instant),
  },
  closed,
);

export const PaymentDetail = Type.Object(
  {
    ...paymentFields,
    customerId: nullable(id),
    partnerId: nullable(id),
    provider: id,
    providerReference: nullable(id),
    wish: Type.Enum(['hold', 'capture', 'fee', 'release']),
    feeMinor: Type.Union([minor, Type.Null()]),
    failureReason: nullable(reason),
    isOwed: Type.Boolean({ description: 'Delivered and not paid' }),
    version: Type.Integer({ minimum: 1 }),
    operations: Type.Array(ShownOperation, { maxItems: 1000 }),
    disputes: Type.Array(Dispute, { maxItems: 100 }),
  },
  closed,
);

export const NewRefund = Type.Object(
  {
    amountMinor: Type.Integer({ minimum: 1, maximum: 2_147_483_647, description: "In the currency's smallest unit" }),
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000-\\u001f\\u007f]*$' })),
  },
  closed,
);
export type NewRefund = Static<typeof NewRefund>;
