import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const nullableInstant = Type.Union([instant, Type.Null()]);

/** Part of MQTT topics and user names: no separators of either. */
export const DriverId = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
export const DeviceId = Type.String({ pattern: '^[a-z0-9-]{1,32}$' });

export const Vehicle = Type.Enum(['bicycle', 'cargo_bike', 'car', 'van']);

export const NewDriver = Type.Object(
  {
    driverId: Type.Optional(DriverId),
    name: Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]{1,100}$' }),
    vehicle: Vehicle,
  },
  closed,
);
export type NewDriver = Static<typeof NewDriver>;

export const Driver = Type.Object(
  {
    driverId: DriverId,
    name: Type.String({ maxLength: 100 }),
    vehicle: Vehicle,
    onShift: Type.Boolean(),
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

export const Device = Type.Object(
  {
    deviceId: DeviceId,
    username: Type.String({ maxLength: 100 }),
    issuedAt: instant,
    revokedAt: nullableInstant,
  },
  closed,
);
export type Device = Static<typeof Device>;

export const IssuedDevice = Type.Object(
  {
    deviceId: DeviceId,
    username: Type.String({ maxLength: 100 }),
    password: Type.String({ maxLength: 200, description: 'Shown this once' }),
    topic: Type.String({ maxLength: 200, description: 'Where the device publishes its location' }),
  },
  closed,
);

export const DeviceList = Type.Object({ devices: Type.Array(Device, { maxItems: 100 }) }, closed);

/** Devices of one driver with credentials that work. */
export const activeDevicesMax = 5;

export interface DeviceAccess {
  readonly username: string;
  readonly topic: string;
  readonly publish: readonly string[];
}

/**
 * A device publishes under its own driver only: our format, and OwnTracks under its own name. The app's own default is
 * `owntracks/<user name>/<what the phone calls itself>`, and beside its positions it tells of more than that one level
 * deeper, which nobody takes.
 */
export function accessOf(driverId: string, deviceId: string): DeviceAccess {
  const topic = `drivers/${driverId}/location`;
  const username = `${driverId}.${deviceId}`;
  const ownTracks = [`owntracks/${driverId}/${deviceId}`, `owntracks/${username}/+`];
  return {
    username,
    topic,
    publish: [topic, `drivers/${driverId}/status`, ...ownTracks, ...ownTracks.map((each) => `${each}/+`)],
  };
}

/** Pages are in the order of ids, so a driver who registers meanwhile never shifts one. */
export function toCursor(driverId: string): string {
  return Buffer.from(`1:${driverId}`).toString('base64url');
}

/** The id in a cursor; undefined when it is not one of ours. */
export function fromCursor(cursor: string): string | undefined {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  return /^1:[A-Za-z0-9_-]{1,64}$/.test(text) ? text.slice(2) : undefined;
}
