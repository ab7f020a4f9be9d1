import type { Queryable, Statement } from '#plugin-api';
import type { Actor } from '../lifecycle.ts';
import type { NewOrder, Order } from '../order.ts';
import type { QuotedPrice } from '../price.ts';
import { columnsWithParcels, orderColumns, toStoredOrder } from './rows.ts';
import type { OrderRow, OrderRowWithParcels, StoredOrder } from './rows.ts';

export interface OrderToInsert {
  readonly orderId: string;
  readonly booking: NewOrder;
  readonly contentHash: string;
  readonly createdBy: Actor;
  readonly customerId: string;
  readonly partnerId: string | null;
  readonly price: QuotedPrice;
  readonly parcels: Order['parcels'];
  readonly searchText: string;
  readonly traceId: string | null;
  readonly traceparent: string | null;
}

// One statement: an order is never without its parcels and its first line of history, and a booking waits once.
const insertOrderStatement: Statement = {
  name: 'insert_order',
  text: `with booked as (
      insert into orders (order_id, reference, content_hash, created_by_role, created_by, customer_id, partner_id,
        pickup, window_start, window_end, parcel_count, destination, retailer, order_reference, notes, amount_minor,
        currency, price_version, quote_id, search_text, traceparent, proof_required)
      values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11, $12::jsonb, $13, $14, $15, $16, $17, $18, $19, $20, $28,
        coalesce((select jsonb_build_object('pickup', pickup, 'dropOff', drop_off) from proof_requirements
          where destination_kind = $12::jsonb ->> 'kind'), '{"pickup": [], "dropOff": []}'))
      on conflict do nothing
      returning ${orderColumns}
    ), parcels as (
      insert into order_parcels (code, order_id, position, description, length_cm, width_cm, height_cm, weight_grams)
      select p.code, b.order_id, p.position, p.description, p.length_cm, p.width_cm, p.height_cm, p.weight_grams
      from booked b, unnest($21::text[], $22::text[], $23::integer[], $24::integer[], $25::integer[], $26::integer[])
        with ordinality as p (code, description, length_cm, width_cm, height_cm, weight_grams, position)
    ), history as (
      insert into order_history (order_id, sequence, action, from_status, to_status, actor_kind, actor_id, trace_id)
      select order_id, 1, 'book', null, 'created', $4, $5, $27 from booked
    )
    select ${orderColumns} from booked`,
};

/** Undefined when the id is taken, or the principal has used the reference before. */
export async function insertOrder(db: Queryable, order: OrderToInsert): Promise<StoredOrder | undefined> {
  const { booking, parcels, price } = order;
  const { rows } = await db.query<OrderRow>(insertOrderStatement, [
    order.orderId,
    booking.reference ?? null,
    order.contentHash,
    order.createdBy.kind,
    order.createdBy.id,
    order.customerId,
    order.partnerId,
    JSON.stringify(booking.pickup),
    booking.pickupWindow.start,
    booking.pickupWindow.end,
    parcels.length,
    JSON.stringify(booking.destination),
    booking.retailer ?? null,
    booking.orderReference ?? null,
    booking.notes ?? null,
    price.amountMinor,
    price.currency,
    price.priceVersion,
    booking.quoteId ?? null,
    order.searchText,
    parcels.map(({ code }) => code),
    parcels.map(({ description }) => description),
    parcels.map(({ lengthCm }) => lengthCm),
    parcels.map(({ widthCm }) => widthCm),
    parcels.map(({ heightCm }) => heightCm),
    parcels.map(({ weightGrams }) => weightGrams),
    order.traceId,
    order.traceparent,
  ]);
  return rows[0] && toStoredOrder(rows[0], parcels);
}

const findOrderByReferenceStatement: Statement = {
  name: 'find_order_by_reference',
  text: `select ${columnsWithParcels} from orders where created_by_role = $1 and created_by = $2 and reference = $3`,
};

export async function findOrderByReference(
  db: Queryable,
  createdBy: Actor,
  reference: string,
): Promise<StoredOrder | undefined> {
  const { rows } = await db.query<OrderRowWithParcels>(findOrderByReferenceStatement, [
    createdBy.kind,
    createdBy.id,
    reference,
  ]);
  return rows[0] && toStoredOrder(rows[0], rows[0].parcels);
}
