import type { HistoryKey } from './store/fixes.ts';

export const rangeMaxMs = 31 * 86_400_000;
const defaultRangeMs = 86_400_000;

export interface Range {
  readonly from: string;
  readonly to: string;
}

/** The asked range, by default the last day; a text says what is wrong with it. */
export function toRange(query: { readonly from?: string; readonly to?: string }, nowMs: number): Range | string {
  const toMs = query.to === undefined ? nowMs : Date.parse(query.to);
  const fromMs = query.from === undefined ? toMs - defaultRangeMs : Date.parse(query.from);
  if (!Number.isFinite(fromMs) || !Number.isFinite(toMs)) return "'from' and 'to' must be points in time";
  if (fromMs >= toMs) return "'from' must be before 'to'";
  if (toMs - fromMs > rangeMaxMs) return "'from' and 'to' must be at most 31 days apart";
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
}

/** Where a page ended. A fix that arrives late is found by a later read of the range, and never shifts a page. */
export function toCursor({ recordedAt, device, lat, lon }: HistoryKey): string {
  return Buffer.from(JSON.stringify([recordedAt, device, lat, lon])).toString('base64url');
}

/** The key in a cursor; undefined when it is not one of ours. */
export function fromCursor(cursor: string): HistoryKey | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    // Not JSON, so not ours.
    return undefined;
  }
  if (!Array.isArray(value) || value.length !== 4) return undefined;
  const [recordedAt, device, lat, lon] = value as unknown[];
  if (typeof recordedAt !== 'string' || !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/.test(recordedAt))
    return undefined;
  if (Number.isNaN(Date.parse(recordedAt))) return undefined;
  if (typeof device !== 'string' || !/^[A-Za-z0-9._-]{1,64}$/.test(device)) return undefined;
  if (!isCoordinate(lat, 90) || !isCoordinate(lon, 180)) return undefined;
  return { recordedAt, device, lat, lon };
}

function isCoordinate(value: unknown, max: number): value is number {
  return typeof value === 'number' && Math.abs(value) <= max;
}
