import type { MqttMessage } from '#plugin-api';

/** Where a driver was, when, and how well it is known. */
export interface Fix {
  readonly driverId: string;
  readonly device: string;
  /** ISO 8601 in UTC with milliseconds. */
  readonly recordedAt: string;
  readonly lat: number;
  readonly lon: number;
  readonly accuracyM: number | null;
  readonly speedMps: number | null;
  /** Clockwise from north, 0 to below 360. */
  readonly headingDeg: number | null;
}

export const rejectionReasons = [
  'topic',
  'payload_too_large',
  'malformed_json',
  'schema',
  'range',
  'null_island',
  'time_unreadable',
  'future',
  'too_old',
] as const;
export type RejectionReason = (typeof rejectionReasons)[number];

export type ParsedMessage =
  | { readonly kind: 'fix'; readonly fix: Fix }
  /** Well-formed and of no interest: OwnTracks sends more than locations. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'rejected'; readonly reason: RejectionReason };

export const payloadCharactersMax = 4096;
/** Phones' clocks go wrong by a little; what is further ahead would hide the true positions until then. */
export const futureToleranceMs = 5 * 60_000;
/** How long a device may have been without a network. */
export const ageMaxMs = 7 * 86_400_000;

const driverIdPattern = /^[A-Za-z0-9_-]{1,64}$/;
const devicePattern = /^[A-Za-z0-9._-]{1,64}$/;
const instantPattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/;
const kmhPerMps = 3.6;

const rejected = (reason: RejectionReason): ParsedMessage => ({ kind: 'rejected', reason });

/**
 * Reads one message of a device: our own JSON on `drivers/{driverId}/location`, OwnTracks on `owntracks/{driverId}/{device}`.
 * The driver is taken from the topic alone, for that is what the broker admits a device to. Unknown members are ignored.
 */
export function parseMessage(message: MqttMessage, nowMs: number): ParsedMessage {
  const [root = '', driverId = '', leaf = '', ...rest] = message.topic.split('/');
  if (rest.length > 0 || !driverIdPattern.test(driverId)) return rejected('topic');
  if (message.payload.length > payloadCharactersMax) return rejected('payload_too_large');
  const body = parseObject(message.payload);
  if (body === 'malformed_json' || body === 'schema') return rejected(body);
  if (root === 'drivers' && leaf === 'location') {
    return toFix({ driverId, device: deviceOf(message, driverId, body) }, ownFields(body), nowMs);
  }
  if (root !== 'owntracks' || !devicePattern.test(leaf)) return rejected('topic');
  if (typeof body['_type'] !== 'string') return rejected('schema');
  if (body['_type'] !== 'location') return { kind: 'ignored' };
  return toFix({ driverId, device: leaf }, ownTracksFields(body), nowMs);
}

function parseObject(payload: string): Readonly<Record<string, unknown>> | 'malformed_json' | 'schema' {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    // What is wrong with it is of no use to anybody: the reason is counted, the device is told nothing.
    return 'malformed_json';
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : 'schema';
}

/** The broker's user name `<driverId>.<deviceId>` says it best; an external broker may not tell, then the payload does. */
function deviceOf(message: MqttMessage, driverId: string, body: Readonly<Record<string, unknown>>): unknown {
  const prefix = `${driverId}.`;
  if (message.username?.startsWith(prefix) === true) return message.username.slice(prefix.length);
  return body['device'] ?? 'default';
}

interface Fields {
  readonly time: unknown;
  readonly lat: unknown;
  readonly lon: unknown;
  readonly accuracyM: unknown;
  readonly speedMps: unknown;
  readonly headingDeg: unknown;
}

function ownFields(body: Readonly<Record<string, unknown>>): Fields {
  const { lat, lon, recordedAt, accuracyM, speedMps, headingDeg } = body as Record<string, unknown>;
  return { time: recordedAt, lat, lon, accuracyM, speedMps, headingDeg };
}

/** OwnTracks booklet, "Location": tst epoch seconds, acc metres, vel km/h, cog degrees; -1 is sent for unknown. */
function ownTracksFields(body: Readonly<Record<string, unknown>>): Fields {
  const known = (name: string): unknown => {
    const value = body[name];
    return typeof value === 'number' && value < 0 ? undefined : value;
  };
  const speed = known('vel');
  return {
    // Text is our format's alone.
    time: typeof body['tst'] === 'number' ? body['tst'] : undefined,
    lat: body['lat'],
    lon: body['lon'],
    accuracyM: known('acc'),
    speedMps: typeof speed === 'number' ? speed / kmhPerMps : speed,
    headingDeg: known('cog'),
  };
}

interface Source {
  readonly driverId: string;
  readonly device: unknown;
}

function toFix({ device, driverId }: Source, fields: Fields, nowMs: number): ParsedMessage {
  if (typeof device !== 'string' || !devicePattern.test(device)) return rejected('schema');
  if (typeof fields.lat !== 'number' || typeof fields.lon !== 'number') return rejected('schema');
  const extras = [fields.accuracyM, fields.speedMps, fields.headingDeg];
  if (!extras.every((extra) => extra === undefined || extra === null || typeof extra === 'number')) {
    return rejected('schema');
  }
  const lat = flush(fields.lat);
  const lon = flush(fields.lon);
  // JSON has no NaN, but 1e999 reads as Infinity.
  if (!within(lat, -90, 90) || !within(lon, -180, 180)) return rejected('range');
  const accuracyM = optional(fields.accuracyM, 100_000);
  const speedMps = optional(fields.speedMps, 1000);
  const headingDeg = optional(fields.headingDeg, 360);
  if (accuracyM === undefined || speedMps === undefined || headingDeg === undefined) return rejected('range');
  if (lat === 0 && lon === 0) return rejected('null_island');
  const timeMs = parseTime(fields.time);
  if (timeMs === undefined) return rejected('time_unreadable');
  if (timeMs > nowMs + futureToleranceMs) return rejected('future');
  if (timeMs < nowMs - ageMaxMs) return rejected('too_old');
  return {
    kind: 'fix',
    fix: {
      driverId,
      device,
      recordedAt: new Date(timeMs).toISOString(),
      lat,
      lon,
      accuracyM,
      speedMps,
      headingDeg: headingDeg === 360 ? 0 : headingDeg,
    },
  };
}

const within = (value: number, min: number, max: number): boolean =>
  Number.isFinite(value) && value >= min && value <= max;

/**
 * A tenth of a millimetre from the equator or the meridian is on it. Postgres refuses arithmetic that underflows: a
 * position of 1e-300 would fail whoever computes a distance from it. It also makes -0 and 0 one key.
 */
const flush = (degrees: number): number => (Math.abs(degrees) < 1e-9 ? 0 : degrees);

/** Null when it was not given, undefined when it is out of range. In hundredths: `real` refuses what is too small for it. */
function optional(value: unknown, max: number): number | null | undefined {
  if (value === undefined || value === null) return null;
  return within(value as number, 0, max) ? Math.round((value as number) * 100) / 100 : undefined;
}

/** ISO 8601 with a zone, or epoch seconds. Milliseconds since the epoch lie in the far future and are refused as such. */
function parseTime(time: unknown): number | undefined {
  const timeMs =
    typeof time === 'number'
      ? Math.round(time * 1000)
      : typeof time === 'string' && instantPattern.test(time)
        ? Date.parse(time)
        : Number.NaN;
  // The limits of Date; beyond them toISOString throws.
  return Math.abs(timeMs) <= 8.64e15 ? timeMs : undefined;
}
