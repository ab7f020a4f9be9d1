import { Type, type Static } from 'typebox';
import { orderStatuses } from './lifecycle.ts';

const closed = { additionalProperties: false } as const;

/** One line of text that begins with something visible: no control characters, of which Postgres refuses NUL. */
const line = (maxLength: number) =>
  Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000-\\u0020\\u007f][^\\u0000-\\u001f\\u007f]*$' });

const instant = Type.String({ format: 'date-time', maxLength: 40 });
const id = Type.String({ minLength: 1, maxLength: 128 });
const nullable = <T extends typeof id>(schema: T) => Type.Union([schema, Type.Null()]);

export const Address = Type.Object(
  {
    line1: line(200),
    line2: Type.Optional(line(200)),
    city: line(100),
    region: line(100),
    postalCode: line(20),
    country: Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1 alpha-2' }),
    lat: Type.Number({ minimum: -90, maximum: 90 }),
    lon: Type.Number({ minimum: -180, maximum: 180 }),
  },
  closed,
);

export const PickupWindow = Type.Object({ start: instant, end: instant }, closed);

export const Item = Type.Object(
  { description: line(200), quantity: Type.Integer({ minimum: 1, maximum: 100 }) },
  closed,
);

export const Destination = Type.Object(
  { kind: Type.Union([Type.Literal('store'), Type.Literal('carrier')]), name: line(100), address: Address },
  closed,
);

export const NewOrder = Type.Object(
  {
    reference: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9._:-]{1,64}$',
        description: 'Chosen by the client: the same reference and content again answers the same order',
      }),
    ),
    customerId: Type.Optional(
      Type.String({ pattern: '^[A-Za-z0-9._:@|-]{1,128}$', description: 'Of a partner only: whose order it is' }),
    ),
    pickup: Address,
    pickupWindow: PickupWindow,
    items: Type.Array(Item, { minItems: 1, maxItems: 50 }),
    destination: Destination,
    paymentMethod: Type.Optional(
      Type.String({ pattern: '^tok_[a-z0-9_]{1,60}$', description: "The payment provider's token" }),
    ),
  },
  closed,
);
export type NewOrder = Static<typeof NewOrder>;

export const Price = Type.Object(
  { amountMinor: Type.Integer({ minimum: 0 }), currency: Type.String({ pattern: '^[A-Z]{3}$' }) },
  closed,
);
export type Price = Static<typeof Price>;

export const Status = Type.Enum([...orderStatuses]);

const summaryFields = {
  orderId: id,
  reference: nullable(id),
  status: Status,
  customerId: id,
  partnerId: nullable(id),
  driverId: nullable(id),
  pickup: Address,
  pickupWindow: PickupWindow,
  items: Type.Array(Item, { maxItems: 50 }),
  destination: Destination,
  price: Price,
  cancelReason: nullable(Type.String({ maxLength: 200 })),
  createdAt: instant,
  updatedAt: instant,
};

export const Order = Type.Object(summaryFields, closed);
export type Order = Static<typeof Order>;

export const HistoryStep = Type.Object(
  {
    sequence: Type.Integer({ minimum: 1 }),
    from: nullable(id),
    to: Status,
    actorKind: id,
    actorId: id,
    reason: nullable(Type.String({ maxLength: 200 })),
    occurredAt: instant,
  },
  closed,
);
export type HistoryStep = Static<typeof HistoryStep>;

export const OrderWithHistory = Type.Object(
  { ...summaryFields, history: Type.Array(HistoryStep, { maxItems: 100 }) },
  closed,
);

export const OrderPage = Type.Object(
  { orders: Type.Array(Order, { maxItems: 100 }), nextCursor: nullable(Type.String({ maxLength: 200 })) },
  closed,
);
