import { createTraceBuilder, type Trace } from '../../../plugins/tracking/trace.ts';

export interface FixtureFix {
  readonly lat: number;
  readonly lon: number;
  /** @default one a second */
  readonly second?: number;
  /** @default 1 */
  readonly device?: number;
  readonly flags?: number;
}

export const traceBeginMs = Date.parse('2026-05-04T08:00:00Z');

/** A trace as it is read from the database. */
export function toTrace(fixes: readonly FixtureFix[]): Trace {
  const builder = createTraceBuilder(1);
  const text = fixes.map(({ lat, lon, second, device = 1, flags = 0 }, index) =>
    [
      traceBeginMs + 1000 * (second ?? index),
      device,
      Math.round(lat * 1e7),
      Math.round(lon * 1e7),
      -1,
      1250,
      899,
      42,
      flags,
    ].join(','),
  );
  if (text.length > 0) builder.add(text.join(';'));
  return builder.finish(
    fixes.length,
    new Map([
      [1, 'phone'],
      [2, 'tablet'],
    ]),
  );
}
