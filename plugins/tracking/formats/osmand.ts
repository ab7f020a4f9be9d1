import { rejected, type Rejection } from '../fix.ts';
import type { Fields } from '../validate.ts';

/** Parameters that are read; what else an app adds is left out before anything is kept. */
export const osmAndParameters = [
  'lat',
  'lon',
  'location',
  'timestamp',
  'speed',
  'bearing',
  'heading',
  'accuracy',
  'valid',
] as const;

export type OsmAndReading =
  | { readonly kind: 'location'; readonly fields: Fields }
  | { readonly kind: 'ignored' }
  | Rejection;

type Members = Readonly<Record<string, unknown>>;

const mpsPerKnot = 1852 / 3600;
const decimal = /^[+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][+-]?\d{1,3})?$/;
const spacedTime = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?)$/;
/** Traccar's rule: a number above the last second of a signed 32-bit clock counts milliseconds. */
const secondsMax = 2 ** 31 - 1;

/**
 * Traccar's OsmAnd protocol in either form: the parameters of a query or form (speed in knots), or the JSON of Traccar
 * Client 9 and later (`location.coords`, speed in m/s). A report without a place is a heartbeat. A place without a time is
 * refused: sent twice it would be two.
 */
export function readOsmAnd(members: Members): OsmAndReading {
  const { location } = members;
  return isRecord(location) ? readJson(location) : readParameters(members);
}

function readParameters(members: Members): OsmAndReading {
  if (members['valid'] === 'false' || members['valid'] === '0') return { kind: 'ignored' };
  const place = typeof members['location'] === 'string' ? members['location'].split(',', 3) : undefined;
  const lat = place === undefined ? members['lat'] : place[0];
  const lon = place === undefined ? members['lon'] : place[1];
  if (lat === undefined && lon === undefined) return { kind: 'ignored' };
  const speed = toKnown(toNumber(members['speed']));
  return toLocation({
    time: toTime(toNumber(members['timestamp']) ?? members['timestamp']),
    lat: toNumber(lat),
    lon: toNumber(lon),
    accuracyM: toAccuracy(toNumber(members['accuracy'])),
    speedMps: speed === undefined ? undefined : speed * mpsPerKnot,
    headingDeg: toKnown(toNumber(members['bearing'] ?? members['heading'])),
  });
}

function readJson(location: Members): OsmAndReading {
  const { coords } = location;
  if (coords === undefined || coords === null) return { kind: 'ignored' };
  if (!isRecord(coords)) return rejected('schema', "'location.coords' must be an object");
  return toLocation({
    time: toTime(location['timestamp']),
    lat: coords['latitude'],
    lon: coords['longitude'],
    accuracyM: toAccuracy(coords['accuracy']),
    speedMps: toKnown(coords['speed']),
    headingDeg: toKnown(coords['heading']),
  });
}

function toLocation(fields: Fields): OsmAndReading {
  return { kind: 'location', fields };
}

/** Undefined for what is not written as a decimal number: `NaN`, `Infinity` and a placeholder that was not filled in, too. */
function toNumber(value: unknown): number | undefined {
  return typeof value === 'string' && decimal.test(value.trim()) ? Number(value) : undefined;
}

/** -1 is sent for unknown; what is no number says as little, and must not cost the place. */
function toKnown(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 ? value : undefined;
}

/** No receiver is exact: 0 is sent for unknown. */
function toAccuracy(value: unknown): number | undefined {
  const known = toKnown(value);
  return known === 0 ? undefined : known;
}

/** Seconds, or ISO 8601 with a zone: what a fix may have. A time with a space has no zone and is taken as UTC. */
function toTime(value: unknown): unknown {
  if (typeof value === 'number') return value > secondsMax ? value / 1000 : value;
  if (typeof value !== 'string') return undefined;
  const spaced = spacedTime.exec(value);
  return spaced === null ? value : `${spaced[1]}T${spaced[2]}Z`;
}

function isRecord(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
