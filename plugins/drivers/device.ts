import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });

export const deviceIdPattern = '^[a-z0-9-]{1,32}$';
export const DeviceId = Type.String({ pattern: deviceIdPattern });

export const Device = Type.Object(
  {
    deviceId: DeviceId,
    username: Type.String({ maxLength: 100 }),
    issuedAt: instant,
    revokedAt: Type.Union([instant, Type.Null()]),
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
    offersTopic: Type.String({ maxLength: 200, description: 'Where the device hears of offers' }),
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
  readonly subscribe: readonly string[];
}

export function offersTopicOf(driverId: string): string {
  return `drivers/${driverId}/offers`;
}

/**
 * A device publishes under its own driver only: our format, and OwnTracks under its own name. The app's own default is
 * `owntracks/<user name>/<what the phone calls itself>`, and beside its positions it tells of more than that one level
 * deeper, which nobody takes. It hears of its driver's offers.
 */
export function accessOf(driverId: string, deviceId: string): DeviceAccess {
  const topic = `drivers/${driverId}/location`;
  const username = `${driverId}.${deviceId}`;
  const ownTracks = [`owntracks/${driverId}/${deviceId}`, `owntracks/${username}/+`];
  return {
    username,
    topic,
    publish: [topic, `drivers/${driverId}/status`, ...ownTracks, ...ownTracks.map((each) => `${each}/+`)],
    subscribe: [offersTopicOf(driverId)],
  };
}
