import type { Trace } from '../trace.ts';
import { geoJsonType, toGeoJson } from './geojson.ts';
import { gpxType, toGpx } from './gpx.ts';
import { jsonType, toJson } from './json.ts';
import { toSegments } from './segments.ts';
import { thinSegments } from './thinning.ts';

export type Format = 'json' | 'geojson' | 'gpx';

export const contentTypes: Readonly<Record<Format, string>> = { json: jsonType, geojson: geoJsonType, gpx: gpxType };

export interface ExportOptions {
  readonly driverId: string;
  readonly trace: Trace;
  readonly format: Format;
  readonly simplifyM: number | undefined;
  readonly nextCursor: string | null;
}

/** A trace as text of the format, in pieces of a good size for a stream. */
export async function exportTrace(options: ExportOptions): Promise<Iterable<string>> {
  const { driverId, trace, format, simplifyM, nextCursor } = options;
  if (format === 'json' && simplifyM === undefined) {
    return gather(toJson({ trace, rows: all(trace.length), nextCursor }));
  }
  const whole = toSegments(trace);
  const segments = simplifyM === undefined ? whole : await thinSegments(trace, whole, simplifyM);
  if (format === 'geojson') return gather(toGeoJson({ driverId, trace, segments, nextCursor }));
  if (format === 'gpx') return gather(toGpx({ driverId, trace, segments }));
  // Devices take turns in time again.
  const rows = segments.flatMap((segment) => segment.rows).toSorted((a, b) => a - b);
  return gather(toJson({ trace, rows, nextCursor }));
}

function* all(length: number): Generator<number> {
  for (let row = 0; row < length; row += 1) yield row;
}

/** Each piece costs a call. */
const pieceLength = 131_072;

function* gather(texts: Iterable<string>): Generator<string> {
  let piece = '';
  for (const text of texts) {
    piece += text;
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}
