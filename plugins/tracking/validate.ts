import { rejected, type Fix, type Rejection } from './fix.ts';
import { readSettings, type Settings } from './settings.ts';

/** What a format says of a fix, in our units and not looked at yet. */
export interface Fields {
  readonly time: unknown;
  readonly lat: unknown;
  readonly lon: unknown;
  readonly accuracyM: unknown;
  readonly speedMps: unknown;
  readonly headingDeg: unknown;
}

export type ValidationLimits = Pick<Settings, 'futureToleranceMs' | 'retentionMs' | 'accuracyMaxM'>;
export const defaultLimits: ValidationLimits = readSettings({});

export interface Validation {
  /** When it was received; a replay has the time of its first receipt. */
  readonly nowMs: number;
  readonly limits: ValidationLimits;
}

const instantPattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/;
const extras = [
  { name: 'accuracyM', max: 100_000 },
  { name: 'speedMps', max: 1000 },
  { name: 'headingDeg', max: 360 },
] as const;

/** A fix, or the first rule that it breaks. */
export function toFix(
  source: Pick<Fix, 'driverId' | 'device'>,
  fields: Fields,
  { nowMs, limits }: Validation,
): { readonly kind: 'fix'; readonly fix: Fix } | Rejection {
  if (typeof fields.lat !== 'number' || typeof fields.lon !== 'number') {
    return rejected('schema', 'latitude and longitude must be numbers');
  }
  const wrong = extras.find(({ name }) => !isNumberOrNothing(fields[name]));
  if (wrong !== undefined) return rejected('schema', `'${wrong.name}' must be a number`);
  const lat = flush(fields.lat);
  const lon = flush(fields.lon);
  // JSON has no NaN, but 1e999 reads as Infinity.
  if (!within(lat, -90, 90)) return rejected('range', 'the latitude must be from -90 to 90');
  if (!within(lon, -180, 180)) return rejected('range', 'the longitude must be from -180 to 180');
  const [accuracyM, speedMps, headingDeg] = extras.map(({ name, max }) => optional(fields[name], max));
  if (accuracyM === undefined || speedMps === undefined || headingDeg === undefined) {
    const outside = extras.find(({ name, max }) => optional(fields[name], max) === undefined);
    return rejected('range', `'${outside?.name}' must be from 0 to ${outside?.max}`);
  }
  if (lat === 0 && lon === 0) return rejected('null_island', 'latitude and longitude 0 mean that there is no fix');
  const timeMs = parseTime(fields.time);
  if (timeMs === undefined) {
    return rejected('time_unreadable', 'the fix time must be ISO 8601 with a zone, or seconds since 1970');
  }
  if (timeMs > nowMs + limits.futureToleranceMs) {
    return rejected('future', `the fix time is ${Math.round((timeMs - nowMs) / 1000)} s ahead of its receipt`);
  }
  if (timeMs < nowMs - limits.retentionMs) {
    return rejected('too_old', `the fix is ${Math.round((nowMs - timeMs) / 1000)} s old: older than what is kept`);
  }
  const flags = accuracyM !== null && accuracyM > limits.accuracyMaxM ? (['inaccurate'] as const) : [];
  const recordedAt = new Date(timeMs).toISOString();
  const heading = headingDeg === 360 ? 0 : headingDeg;
  return { kind: 'fix', fix: { ...source, recordedAt, lat, lon, accuracyM, speedMps, headingDeg: heading, flags } };
}

const isNumberOrNothing = (value: unknown): boolean =>
  value === undefined || value === null || typeof value === 'number';

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
