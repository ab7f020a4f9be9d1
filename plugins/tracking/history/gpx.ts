import { toInstant, type Trace } from '../trace.ts';
import type { Segment } from './segments.ts';

export const gpxType = 'application/gpx+xml';

const pointsAtOnce = 700;

export interface GpxOptions {
  readonly driverId: string;
  readonly trace: Trace;
  /** Those of a device one after the other. */
  readonly segments: readonly Segment[];
}

/** GPX 1.1: a track for each device, a track segment for each segment. */
export function* toGpx({ driverId, trace, segments }: GpxOptions): Generator<string> {
  yield `<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" creator="ReturnIt" xmlns="http://www.topografix.com/GPX/1/1">
<metadata><name>${escapeXml(driverId)}</name></metadata>
`;
  let device: string | undefined;
  for (const segment of segments) {
    if (segment.device !== device) {
      if (device !== undefined) yield '</trk>\n';
      ({ device } = segment);
      yield `<trk><name>${escapeXml(device)}</name>\n`;
    }
    yield '<trkseg>\n';
    for (let start = 0; start < segment.rows.length; start += pointsAtOnce) {
      let text = '';
      for (const row of segment.rows.slice(start, start + pointsAtOnce)) text += toPoint(trace, row);
      yield text;
    }
    yield '</trkseg>\n';
  }
  if (device !== undefined) yield '</trk>\n';
  yield '</gpx>\n';
}

function toPoint(trace: Trace, row: number): string {
  const lat = (trace.latE7[row] ?? 0) / 1e7;
  const lon = (trace.lonE7[row] ?? 0) / 1e7;
  // longitudeType is below 180, and what is at 180 is at -180.
  return `<trkpt lat="${decimal(lat)}" lon="${decimal(lon === 180 ? -180 : lon)}"><time>${toInstant(trace.timeMs[row] ?? 0)}</time></trkpt>\n`;
}

/** xsd:decimal knows no exponent. */
const decimal = (degrees: number): string => (Math.abs(degrees) < 1e-6 ? degrees.toFixed(7) : String(degrees));

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Control characters, which XML 1.0 has no way to write, are left out. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '').replace(/[^\t\n\r\x20-\uFFFD]/g, '');
}
