import type { Trace } from '../trace.ts';

/** Rows of a trace that one device recorded without a long gap: what may be drawn as one line. */
export interface Segment {
  readonly device: string;
  readonly rows: readonly number[];
}

/** Two fixes further apart than this are not joined by a line: nobody knows the way between them. */
export const gapMaxMs = 5 * 60_000;

const inaccurate = 1;

/**
 * The lines of a trace, device by device, each in the order of time. Two phones in one car, or one that was left at home,
 * would make a zigzag of a line through both. A fix known too badly to move the newest position is in no line.
 */
export function toSegments(trace: Trace): readonly Segment[] {
  const open = new Map<number, number[]>();
  const segments: { readonly trackKey: number; readonly rows: number[] }[] = [];
  const { timeMs } = trace;
  for (let row = 0; row < trace.length; row += 1) {
    if (((trace.flags[row] ?? 0) & inaccurate) !== 0) continue;
    const trackKey = trace.trackKey[row] ?? 0;
    const rows = open.get(trackKey);
    if (rows !== undefined && (timeMs[row] ?? 0) - (timeMs[rows.at(-1) ?? 0] ?? 0) <= gapMaxMs) {
      rows.push(row);
      continue;
    }
    const begun = [row];
    open.set(trackKey, begun);
    segments.push({ trackKey, rows: begun });
  }
  return segments
    .toSorted((a, b) => a.trackKey - b.trackKey)
    .map(({ trackKey, rows }) => ({ device: trace.devices.get(trackKey) ?? 'default', rows }));
}
