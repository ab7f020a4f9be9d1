import { Type, type Static } from 'typebox';

/**
 * waiting → accepted (by a driver's offer) or assigned (by ops) → waiting again, when the driver is let go;
 * waiting → held → waiting; waiting → expired, when its window is over; failed, when the pickup failed, until the next
 * attempt waits; ended for ever, when the order is delivered, completed or cancelled.
 */
export const assignmentStatuses = ['waiting', 'held', 'assigned', 'accepted', 'failed', 'expired', 'ended'] as const;
export type AssignmentStatus = (typeof assignmentStatuses)[number];

/** Why a driver no longer has an order; `cancelled`: it was, before it had heard of that driver. */
export type UnassignReason = 'suspended' | 'silent' | 'withdrawn' | 'reassigned' | 'gave_back' | 'cancelled';

export interface Actor {
  readonly kind: 'ops' | 'driver' | 'system';
  readonly id: string;
}

const firstRetrySeconds = 5;
const longestRetrySeconds = 60;

/** Seconds until an order without a driver is tried again: 5, 10, 20, 40, then 60. */
export function retryDelaySeconds(tries: number): number {
  return Math.min(firstRetrySeconds * 2 ** Math.min(tries, 10), longestRetrySeconds);
}

/**
 * A place that Postgres can compute with: its arithmetic refuses what underflows, such as the square of 1e-300. A tenth of
 * a millimetre from the equator or the meridian is on it.
 */
export function toPlace({ lat, lon }: { readonly lat: number; readonly lon: number }): {
  readonly lat: number;
  readonly lon: number;
} {
  const flush = (degrees: number): number => (Math.abs(degrees) < 1e-9 ? 0 : degrees);
  return { lat: flush(lat), lon: flush(lon) };
}

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const nullableInstant = Type.Union([instant, Type.Null()]);
const nullablePlace = Type.Union([Type.Object({ lat: Type.Number(), lon: Type.Number() }, closed), Type.Null()]);
const nullableText = Type.Union([Type.String({ maxLength: 200 }), Type.Null()]);

export const OrderId = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });

const fields = {
  orderId: Type.String({ maxLength: 64 }),
  customerId: nullableText,
  status: Type.Enum([...assignmentStatuses]),
  driverId: nullableText,
  attempt: Type.Integer({ minimum: 1, description: 'Of the pickup' }),
  sequence: Type.Integer({ minimum: 0, description: 'Grows with each assignment and its end' }),
  pickup: nullablePlace,
  pickupWindow: Type.Object({ start: nullableInstant, end: nullableInstant }, closed),
  destination: nullablePlace,
  parcels: Type.Integer({ minimum: 1 }),
  holdReason: nullableText,
  waitingSince: nullableInstant,
  unavailableSince: nullableInstant,
  assignedAt: nullableInstant,
  pickedUpAt: nullableInstant,
  createdAt: instant,
  endedAt: nullableInstant,
};

export const Assignment = Type.Object(fields, closed);
export type Assignment = Static<typeof Assignment>;

export const AssignmentStep = Type.Object(
  {
    step: Type.String({ maxLength: 20 }),
    sequence: Type.Integer({ minimum: 0 }),
    attempt: Type.Integer({ minimum: 1 }),
    driverId: nullableText,
    byKind: Type.String({ maxLength: 20 }),
    byId: Type.String({ maxLength: 200 }),
    reason: nullableText,
    at: instant,
  },
  closed,
);
export type AssignmentStep = Static<typeof AssignmentStep>;

export const AssignmentStory = Type.Object(
  { ...fields, history: Type.Array(AssignmentStep, { maxItems: 500 }) },
  closed,
);

export const AssignmentPage = Type.Object(
  {
    assignments: Type.Array(Assignment, { maxItems: 100 }),
    nextCursor: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
  },
  closed,
);
