import { Type, type Static } from 'typebox';
import { orderStatuses } from './lifecycle.ts';
import { Item, NewParcel, Parcel, parcelsMax } from './parcel.ts';
import { Price } from './price.ts';
import { ProofRequired } from './requirement.ts';
import { closed, id, instant, line, lines, nullableText, principalId } from './text-schemas.ts';

const nullable = <T extends typeof id>(schema: T) => Type.Union([schema, Type.Null()]);

export const lat = Type.Number({ minimum: -90, maximum: 90 });
export const lon = Type.Number({ minimum: -180, maximum: 180 });

export const Address = Type.Object(
  {
    line1: line(200),
    line2: Type.Optional(line(200)),
    city: line(100),
    region: line(100),
    postalCode: line(20),
    country: Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1 alpha-2' }),
    lat,
    lon,
  },
  closed,
);

export const PickupWindow = Type.Object({ start: instant, end: instant }, closed);
export type PickupWindow = Static<typeof PickupWindow>;

export const destinationKinds = ['store', 'carrier', 'warehouse'] as const;
export const DestinationKind = Type.Enum([...destinationKinds]);

export const Destination = Type.Object({ kind: DestinationKind, name: line(100), address: Address }, closed);

export const Notes = lines(1000);

export const NewOrder = Type.Object(
  {
    reference: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9._:-]{1,64}$',
        description: 'Chosen by the client: the same reference and content again answers the same order',
      }),
    ),
    customerId: Type.Optional(principalId('Of a partner only: whose order it is')),
    pickup: Address,
    pickupWindow: PickupWindow,
    parcels: Type.Optional(
      Type.Array(NewParcel, {
        minItems: 1,
        maxItems: parcelsMax,
        examples: [[{ description: 'Shoes, size 42' }]],
      }),
    ),
    items: Type.Optional(
      Type.Array(Item, { minItems: 1, maxItems: parcelsMax, description: 'Instead of `parcels`: each piece is one' }),
    ),
    destination: Destination,
    retailer: Type.Optional(line(100)),
    orderReference: Type.Optional(line(64, { description: "The retailer's number of the purchase" })),
    notes: Type.Optional(Notes),
    quoteId: Type.Optional(Type.String({ format: 'uuid', description: 'Of POST /orders/quotes: its price is taken' })),
    paymentMethod: Type.Optional(
      Type.String({
        pattern: '^(?:tok|pm)_[A-Za-z0-9_]{1,124}$',
        description:
          "The payment provider's: a card's token (`tok_…`) or a payment method (`pm_…`), never a card number",
        examples: ['tok_visa'],
      }),
    ),
  },
  closed,
);
export type NewOrder = Static<typeof NewOrder>;

export const Status = Type.Enum([...orderStatuses]);

const summaryFields = {
  orderId: id,
  version: Type.Integer({ minimum: 1, description: 'What the ETag says' }),
  reference: nullable(id),
  status: Status,
  attempt: Type.Integer({ minimum: 1, description: 'Which try to pick the parcels up this is' }),
  customerId: id,
  partnerId: nullable(id),
  driverId: nullable(id),
  pickup: Address,
  pickupWindow: PickupWindow,
  // More than can be booked: what was booked as items with quantities had no such limit.
  parcels: Type.Array(Parcel, { maxItems: 5000 }),
  destination: Destination,
  retailer: nullableText,
  orderReference: nullableText,
  notes: nullableText,
  proofRequired: ProofRequired,
  price: Price,
  quoteId: nullable(id),
  cancelReason: nullableText,
  failureReason: nullableText,
  createdAt: instant,
  updatedAt: instant,
};

export const Order = Type.Object(summaryFields, closed);
export type Order = Static<typeof Order>;

export const HistoryStep = Type.Object(
  {
    sequence: Type.Integer({ minimum: 1 }),
    action: nullable(id),
    from: nullable(id),
    to: Status,
    actorKind: id,
    actorId: id,
    reason: nullableText,
    traceId: nullable(id),
    occurredAt: instant,
  },
  closed,
);
export type HistoryStep = Static<typeof HistoryStep>;

export const OrderWithHistory = Type.Object(
  { ...summaryFields, history: Type.Array(HistoryStep, { maxItems: 1000 }) },
  closed,
);

export const OrderPage = Type.Object(
  { orders: Type.Array(Order, { maxItems: 100 }), nextCursor: nullable(Type.String({ maxLength: 200 })) },
  closed,
);
