import type { OrderState, OrderStatus } from '../lifecycle.ts';
import type { Order } from '../order.ts';

export interface OrderRow {
  readonly order_id: string;
  readonly reference: string | null;
  readonly content_hash: string;
  readonly status: OrderStatus;
  readonly attempt: number;
  readonly assignment_sequence: number;
  readonly assigned_at: string | null;
  readonly customer_id: string;
  readonly partner_id: string | null;
  readonly driver_id: string | null;
  readonly pickup: Order['pickup'];
  readonly window_start: string;
  readonly window_end: string;
  readonly parcel_count: number;
  readonly destination: Order['destination'];
  readonly retailer: string | null;
  readonly order_reference: string | null;
  readonly notes: string | null;
  readonly proof_required: Order['proofRequired'];
  readonly amount_minor: number;
  readonly currency: string;
  readonly quote_id: string | null;
  readonly cancel_reason: string | null;
  readonly failure_reason: string | null;
  readonly version: number;
  readonly traceparent: string | null;
  readonly created_at: string;
  readonly updated_at: string;
}

export const orderColumns = `order_id, reference, content_hash, status, attempt, assignment_sequence, assigned_at,
  customer_id, partner_id, driver_id, pickup, window_start, window_end, parcel_count, destination, retailer,
  order_reference, notes, proof_required, amount_minor, currency, quote_id, cancel_reason,
  failure_reason, version, traceparent, created_at, updated_at`;

/** With the parcels as one value, so that an order is read by one statement. */
export const columnsWithParcels = `${orderColumns}, (
    select json_agg(json_build_object('code', code, 'description', description, 'lengthCm', length_cm,
      'widthCm', width_cm, 'heightCm', height_cm, 'weightGrams', weight_grams) order by position)
    from order_parcels where order_parcels.order_id = orders.order_id
  ) as parcels`;

export type OrderRowWithParcels = OrderRow & { readonly parcels: Order['parcels'] | null };

/** An order with what only the plugin itself needs to know of it. */
export interface StoredOrder {
  readonly order: Order & OrderState;
  readonly version: number;
  readonly contentHash: string;
  readonly assignmentSequence: number;
  readonly assignedAt: string | null;
  /** Of the booking; null of orders from before it was kept. */
  readonly traceparent: string | null;
  readonly parcelCount: number;
}

export function toStoredOrder(row: OrderRow, parcels: Order['parcels'] | null): StoredOrder {
  return {
    version: row.version,
    contentHash: row.content_hash,
    assignmentSequence: row.assignment_sequence,
    assignedAt: row.assigned_at,
    traceparent: row.traceparent,
    parcelCount: row.parcel_count,
    order: {
      orderId: row.order_id,
      version: row.version,
      reference: row.reference,
      status: row.status,
      attempt: row.attempt,
      customerId: row.customer_id,
      partnerId: row.partner_id,
      driverId: row.driver_id,
      pickup: row.pickup,
      pickupWindow: { start: row.window_start, end: row.window_end },
      parcels: parcels ?? [],
      destination: row.destination,
      retailer: row.retailer,
      orderReference: row.order_reference,
      notes: row.notes,
      proofRequired: row.proof_required,
      price: { amountMinor: row.amount_minor, currency: row.currency },
      quoteId: row.quote_id,
      cancelReason: row.cancel_reason,
      failureReason: row.failure_reason,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    },
  };
}
