import { Type, type Static } from 'typebox';
import { NewOrder } from '../order.ts';
import { closed, id } from '../text-schemas.ts';

/** An order as in `POST /orders`; without its reference it could not be sent again. */
export const BulkOrder = Type.Object(
  {
    ...NewOrder.properties,
    reference: Type.String({ pattern: '^[A-Za-z0-9._:-]{1,64}$', description: 'The same again is the same order' }),
  },
  closed,
);
export type BulkOrder = Static<typeof BulkOrder>;

export const Verdict = Type.Object(
  {
    line: Type.Integer({ minimum: 1 }),
    status: Type.Enum(['created', 'repeated', 'rejected']),
    reference: Type.Optional(id),
    orderId: Type.Optional(id),
    problem: Type.Optional(
      Type.Object({
        status: Type.Integer(),
        code: Type.String(),
        title: Type.String(),
        detail: Type.Optional(Type.String()),
      }),
    ),
  },
  { ...closed, description: 'Of each line one, in their order' },
);
export type Verdict = Static<typeof Verdict>;
