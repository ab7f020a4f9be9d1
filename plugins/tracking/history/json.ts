import { fixFlags, type FixFlag } from '../fix.ts';
import { toInstant, type Trace } from '../trace.ts';

export const jsonType = 'application/json';

const fixesAtOnce = 250;

export interface JsonOptions {
  readonly trace: Trace;
  /** In the order of time. */
  readonly rows: Iterable<number>;
  readonly nextCursor: string | null;
}

/** The same as a page that is answered at once. */
export function* toJson({ trace, rows, nextCursor }: JsonOptions): Generator<string> {
  yield '{"fixes":[';
  const devices = new Map([...trace.devices].map(([key, device]) => [key, JSON.stringify(device)]));
  let texts: string[] = [];
  let separator = '';
  for (const row of rows) {
    texts.push(writeFix(trace, row, devices));
    if (texts.length < fixesAtOnce) continue;
    yield separator + texts.join(',');
    separator = ',';
    texts = [];
  }
  if (texts.length > 0) yield separator + texts.join(',');
  yield `],"nextCursor":${JSON.stringify(nextCursor)}}`;
}

export function toFlags(bits: number): readonly FixFlag[] {
  return fixFlags.filter((_flag, index) => (bits & (1 << index)) !== 0);
}

/** Written by hand: a day has 86,400 of them, and an object of each would take twice as long. */
function writeFix(trace: Trace, row: number, devices: ReadonlyMap<number, string>): string {
  const timeMs = trace.timeMs[row] ?? 0;
  const device = devices.get(trace.trackKey[row] ?? 0) ?? '"default"';
  const lat = (trace.latE7[row] ?? 0) / 1e7;
  const lon = (trace.lonE7[row] ?? 0) / 1e7;
  const accuracyM = known(trace.accuracyCm[row] ?? -1, 100);
  const speedMps = known(trace.speedCmPerS[row] ?? -1, 100);
  const headingDeg = known(trace.headingTenths[row] ?? -1, 10);
  const receivedAt = toInstant(timeMs + 10 * (trace.receivedLagCs[row] ?? 0));
  const flags = flagTexts[trace.flags[row] ?? 0] ?? '[]';
  return `{"device":${device},"recordedAt":"${toInstant(timeMs)}","lat":${lat},"lon":${lon},"accuracyM":${accuracyM},"speedMps":${speedMps},"headingDeg":${headingDeg},"receivedAt":"${receivedAt}","flags":${flags}}`;
}

const known = (value: number, scale: number): number | null => (value < 0 ? null : value / scale);
const flagTexts: readonly string[] = [0, 1, 2, 3].map((bits) => JSON.stringify(toFlags(bits)));
