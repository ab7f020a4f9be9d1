import { toInstant, type Trace } from '../trace.ts';
import type { Segment } from './segments.ts';

export const geoJsonType = 'application/geo+json';

/** [longitude, latitude, milliseconds since the epoch]. */
type Position = readonly [lon: number, lat: number, timeMs: number];

const positionsAtOnce = 1000;

export interface GeoJsonOptions {
  readonly driverId: string;
  readonly trace: Trace;
  readonly segments: readonly Segment[];
  readonly nextCursor: string | null;
}

/**
 * RFC 7946: a collection with a feature for each segment, longitude first, the times of its positions in `coordTimes`.
 * `nextCursor` is a foreign member (§6.1).
 */
export function* toGeoJson({ driverId, trace, segments, nextCursor }: GeoJsonOptions): Generator<string> {
  let separator = '';
  yield `{"type":"FeatureCollection","nextCursor":${JSON.stringify(nextCursor)},"features":[`;
  for (const segment of segments) {
    const lines = toLines(segment.rows.map((row) => positionAt(trace, row)));
    const [type, isNested] = geometryOf(lines);
    yield `${separator}\n{"type":"Feature","geometry":{"type":"${type}","coordinates":`;
    yield* writeLines(lines, type, ([lon, lat]) => `[${lon},${lat}]`);
    const from = toInstant(lines[0]?.[0]?.[2] ?? 0);
    const to = toInstant(lines.at(-1)?.at(-1)?.[2] ?? 0);
    yield `},"properties":${JSON.stringify({ driverId, device: segment.device, from, to }).slice(0, -1)},"coordTimes":`;
    yield* writeLines(lines, isNested ? type : 'LineString', ([, , timeMs]) => `"${toInstant(timeMs)}"`);
    yield '}}';
    separator = ',';
  }
  yield '\n]}\n';
}

type Geometry = 'Point' | 'LineString' | 'MultiLineString';

/** §3.1.4: a line has two positions or more. */
function geometryOf(lines: readonly (readonly Position[])[]): readonly [Geometry, boolean] {
  if (lines.length > 1) return ['MultiLineString', true];
  return [lines[0]?.length === 1 ? 'Point' : 'LineString', false];
}

function* writeLines(
  lines: readonly (readonly Position[])[],
  type: Geometry,
  write: (position: Position) => string,
): Generator<string> {
  const open = { Point: '', LineString: '[', MultiLineString: '[' }[type];
  const close = open === '' ? '' : ']';
  if (type === 'MultiLineString') yield '[';
  for (const [index, line] of lines.entries()) {
    yield index === 0 ? open : `,${open}`;
    for (let start = 0; start < line.length; start += positionsAtOnce) {
      yield (
        (start === 0 ? '' : ',') +
          line
            .slice(start, start + positionsAtOnce)
            .map(write)
            .join(',')
      );
    }
    yield close;
  }
  if (type === 'MultiLineString') yield ']';
}

/** §3.1.9: a line that crosses the antimeridian is cut there, for a map would draw it around the world. */
export function toLines(positions: readonly Position[]): readonly (readonly Position[])[] {
  const lines: Position[][] = [[]];
  let before: Position | undefined;
  for (const position of positions) {
    if (before !== undefined && Math.abs(position[0] - before[0]) > 180) {
      const [lat, timeMs] = crossing(before, position);
      const side = before[0] < 0 ? -180 : 180;
      lines.at(-1)?.push([side, lat, timeMs]);
      lines.push([[-side, lat, timeMs]]);
    }
    lines.at(-1)?.push(position);
    before = position;
  }
  return lines;
}

/** Latitude and time at which the shorter way between both is at 180 degrees. */
function crossing(before: Position, after: Position): readonly [lat: number, timeMs: number] {
  const toEdge = 180 - Math.abs(before[0]);
  const width = toEdge + 180 - Math.abs(after[0]);
  const share = width === 0 ? 0 : toEdge / width;
  const between = (index: 1 | 2): number => before[index] + share * (after[index] - before[index]);
  return [Math.round(between(1) * 1e7) / 1e7, Math.round(between(2))];
}

function positionAt(trace: Trace, row: number): Position {
  return [(trace.lonE7[row] ?? 0) / 1e7, (trace.latE7[row] ?? 0) / 1e7, trace.timeMs[row] ?? 0];
}
