import { Type, type Static } from 'typebox';
import { DocumentKind, NewDocument } from './document.ts';
import { Capacity, Vehicle } from './vehicle.ts';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const nullableInstant = Type.Union([instant, Type.Null()]);

/** Part of MQTT topics and user names: no separators of either. */
export const driverIdPattern = '^[A-Za-z0-9_-]{1,64}$';
export const DriverId = Type.String({ pattern: driverIdPattern });
export const DriverParams = Type.Object({ driverId: DriverId }, closed);
const Name = Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]{1,100}$' });

/** Names of routes beside `/drivers/{driverId}`: a driver of such a name could not be asked for. */
export const reservedIds: readonly string[] = ['offers', 'assignments'];

export const driverStatuses = ['applied', 'approved', 'suspended'] as const;
export type DriverStatus = (typeof driverStatuses)[number];

export const NewDriver = Type.Object(
  {
    driverId: Type.Optional(DriverId),
    name: Name,
    vehicle: Vehicle,
    capacity: Type.Optional(Capacity),
    autoAccept: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'An employed driver: takes each offer at once. Ops alone may say so',
      }),
    ),
    documents: Type.Optional(
      Type.Array(Type.Object({ kind: DocumentKind, ...NewDocument.properties }, closed), { maxItems: 4 }),
    ),
  },
  closed,
);
export type NewDriver = Static<typeof NewDriver>;

export const DriverChange = Type.Object(
  {
    name: Type.Optional(Name),
    vehicle: Type.Optional(Vehicle),
    capacity: Type.Optional(Type.Union([Capacity, Type.Null()])),
    autoAccept: Type.Optional(Type.Boolean()),
  },
  { ...closed, minProperties: 1 },
);
export type DriverChange = Static<typeof DriverChange>;

export const Driver = Type.Object(
  {
    driverId: DriverId,
    name: Type.String({ maxLength: 100 }),
    vehicle: Vehicle,
    capacity: Capacity,
    status: Type.Enum([...driverStatuses]),
    statusReason: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
    autoAccept: Type.Boolean(),
    onShift: Type.Boolean(),
    onBreak: Type.Boolean(),
    shiftChangedAt: nullableInstant,
    createdAt: instant,
  },
  closed,
);
export type Driver = Static<typeof Driver>;

export const DriverPage = Type.Object(
  {
    drivers: Type.Array(Driver, { maxItems: 100 }),
    nextCursor: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
  },
  closed,
);

export const DriverStory = Type.Object(
  {
    ...Driver.properties,
    history: Type.Array(
      Type.Object(
        {
          status: Type.Enum([...driverStatuses]),
          reason: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
          byKind: Type.String({ maxLength: 20 }),
          byId: Type.String({ maxLength: 200 }),
          at: instant,
        },
        closed,
      ),
      { maxItems: 100 },
    ),
  },
  closed,
);
export type StatusChange = Static<typeof DriverStory>['history'][number];

export type StatusAction = 'approve' | 'suspend';

export type StatusTransition = { readonly kind: 'moved'; readonly to: DriverStatus } | { readonly kind: 'unchanged' };

/** applied → approved ↔ suspended; an application can be turned down by suspending it. */
export function changeStatus(status: DriverStatus, action: StatusAction): StatusTransition {
  const to = action === 'approve' ? 'approved' : 'suspended';
  return status === to ? { kind: 'unchanged' } : { kind: 'moved', to };
}
