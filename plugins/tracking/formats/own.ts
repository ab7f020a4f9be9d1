import type { Fields } from '../validate.ts';

/** Our own JSON: in our units already, the time as ISO 8601 with a zone or in epoch seconds. */
export function readOwn(members: Readonly<Record<string, unknown>>): Fields {
  const { lat, lon, recordedAt, accuracyM, speedMps, headingDeg } = members as Record<string, unknown>;
  return { time: recordedAt, lat, lon, accuracyM, speedMps, headingDeg };
}
