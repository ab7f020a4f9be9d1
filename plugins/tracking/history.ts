import type { TrackKey } from './store/track-days.ts';

const dayMs = 86_400_000;

export interface Range {
  readonly from: string;
  readonly to: string;
}

/** The asked range, by default the last day; a text says what is wrong with it. */
export function toRange(
  query: { readonly from?: string; readonly to?: string },
  { nowMs, rangeMaxMs }: { readonly nowMs: number; readonly rangeMaxMs: number },
): Range | string {
  const toMs = query.to === undefined ? nowMs : Date.parse(query.to);
  const fromMs = query.from === undefined ? toMs - dayMs : Date.parse(query.from);
  if (!Number.isFinite(fromMs) || !Number.isFinite(toMs)) return "'from' and 'to' must be points in time";
  if (fromMs >= toMs) return "'from' must be before 'to'";
  if (toMs - fromMs > rangeMaxMs) return `'from' and 'to' must be at most ${rangeMaxMs / dayMs} days apart`;
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
}

/** Where a page ended. A fix that arrives late is found by a later read of the range, and never shifts a page. */
export function toCursor({ recordedAt, trackKey, latE7, lonE7 }: TrackKey): string {
  return Buffer.from(JSON.stringify([recordedAt, trackKey, latE7, lonE7])).toString('base64url');
}

/** The key in a cursor; undefined when it is not one of ours. */
export function fromCursor(cursor: string): TrackKey | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    // Not JSON, so not ours.
    return undefined;
  }
  if (!Array.isArray(value) || value.length !== 4) return undefined;
  const [recordedAt, trackKey, latE7, lonE7] = value as unknown[];
  if (typeof recordedAt !== 'string' || !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/.test(recordedAt))
    return undefined;
  if (Number.isNaN(Date.parse(recordedAt))) return undefined;
  if (!isWhole(trackKey, 2 ** 31 - 1) || !isWhole(latE7, 90e7) || !isWhole(lonE7, 180e7)) return undefined;
  return { recordedAt, trackKey, latE7, lonE7 };
}

function isWhole(value: unknown, max: number): value is number {
  return Number.isInteger(value) && Math.abs(value as number) <= max;
}
