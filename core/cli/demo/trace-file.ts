import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parse as parseCsv } from 'csv-parse/sync';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { AppError } from '#core/errors/app-error.ts';
import type { RoutePoint } from './route-point.ts';

interface TimedPoint {
  readonly lat: number;
  readonly lon: number;
  readonly timeMs: number;
}

const fileMaxBytes = 64 * 1_048_576;
const pointsMin = 2;
/** A recording's pause is not waited for. */
const gapMaxMs = 10_000;
const secondMs = 1000;

/**
 * Reads a recorded trace: GPX (1.0 or 1.1, `trkpt`), CSV with columns time, lat, lon in any order (ISO 8601 or epoch
 * seconds), or newline-delimited OwnTracks JSON (`_type` location, `tst` epoch seconds).
 *
 * @throws {AppError} INVALID_CONFIG with file, place and what would be right
 */
export async function readTraceFile(file: string): Promise<readonly RoutePoint[]> {
  const fail = (reason: string, cause?: unknown): never => {
    throw new AppError(
      'INVALID_CONFIG',
      `Cannot read trace "${file}": ${reason}`,
      cause === undefined ? {} : { cause },
    );
  };
  const { size } = await stat(file).then(
    (found) => (found.isFile() ? found : fail('it is no file')),
    (error: unknown) => fail('there is no such file', error),
  );
  if (size > fileMaxBytes) fail(`it has ${size} bytes, at most ${fileMaxBytes} are read`);
  const text = await readFile(file, 'utf8');
  const points = readPoints(path.extname(file).toLowerCase(), text, fail);
  if (points.length < pointsMin) fail(`it has ${points.length} points with a time, at least ${pointsMin} are needed`);
  return toRoute(points);
}

type Fail = (reason: string, cause?: unknown) => never;

function readPoints(extension: string, text: string, fail: Fail): readonly TimedPoint[] {
  switch (extension) {
    case '.gpx':
      return readGpx(text, fail);
    case '.csv':
      return readCsv(text, fail);
    case '.json':
    case '.ndjson':
    case '.jsonl':
      return readOwnTracks(text, fail);
    default:
      return fail(`its name must end in .gpx, .csv, .ndjson, .jsonl or .json, not "${extension}"`);
  }
}

function readGpx(text: string, fail: Fail): readonly TimedPoint[] {
  const valid = XMLValidator.validate(text);
  if (valid !== true) fail(`line ${valid.err.line}: ${valid.err.msg}`);
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseTagValue: false,
    processEntities: false,
    isArray: (name) => ['trk', 'trkseg', 'trkpt'].includes(name),
  });
  const { gpx } = parser.parse(text) as { gpx?: { trk?: { trkseg?: { trkpt?: GpxPoint[] }[] }[] } };
  const points = (gpx?.trk ?? []).flatMap((track) => (track.trkseg ?? []).flatMap((segment) => segment.trkpt ?? []));
  // Devices write points without a time when they have no fix: they say nothing about a drive.
  return points.flatMap((point, index) =>
    point.time === undefined ? [] : [toPoint(point, `trkpt ${index + 1}`, fail)],
  );
}

interface GpxPoint {
  readonly lat?: string;
  readonly lon?: string;
  readonly time?: string;
}

function readCsv(text: string, fail: Fail): readonly TimedPoint[] {
  let rows: readonly { readonly record: Readonly<Record<string, string>>; readonly info: { readonly lines: number } }[];
  try {
    rows = parseCsv(text, { columns: true, trim: true, skip_empty_lines: true, bom: true, info: true });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error), error);
  }
  return rows.map(({ record, info }) => toPoint(record, `line ${info.lines}`, fail));
}

function readOwnTracks(text: string, fail: Fail): readonly TimedPoint[] {
  return text.split('\n').flatMap((line, index): TimedPoint[] => {
    if (line.trim() === '') return [];
    const place = `line ${index + 1}`;
    const message = parseObject(line, (cause) => fail(`${place} must be one JSON object`, cause));
    // Other types (lwt, transition, waypoint) are part of a recording and no positions.
    if (message['_type'] !== 'location') return [];
    return [toPoint({ lat: message['lat'], lon: message['lon'], time: message['tst'] }, place, fail)];
  });
}

function parseObject(line: string, fail: (cause?: unknown) => never): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return fail(error);
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : fail();
}

function toPoint(source: { lat?: unknown; lon?: unknown; time?: unknown }, place: string, fail: Fail): TimedPoint {
  const [lat, lon, timeMs] = [toNumber(source.lat), toNumber(source.lon), toTimeMs(source.time)];
  if (!(Math.abs(lat) <= 90)) fail(`${place}: lat must be a number from -90 to 90`);
  if (!(Math.abs(lon) <= 180)) fail(`${place}: lon must be a number from -180 to 180`);
  if (Number.isNaN(timeMs)) fail(`${place}: time must be ISO 8601 or epoch seconds`);
  return { lat, lon, timeMs };
}

function toNumber(value: unknown): number {
  return typeof value === 'number'
    ? value
    : typeof value === 'string' && value.trim() !== ''
      ? Number(value)
      : Number.NaN;
}

function toTimeMs(value: unknown): number {
  const seconds = toNumber(value);
  if (Number.isFinite(seconds)) return seconds * secondMs;
  if (typeof value !== 'string') return Number.NaN;
  // `2014-09-10 06:54:07+0200` is what many loggers write: ISO 8601 wants a T and a colon in the offset.
  return Date.parse(value.replace(/^(\d{4}-\d{2}-\d{2}) /, '$1T').replace(/([+-]\d{2})(\d{2})$/, '$1:$2'));
}

function toRoute(points: readonly TimedPoint[]): readonly RoutePoint[] {
  let offsetMs = 0;
  let previousMs: number | undefined;
  return points
    .toSorted((a, b) => a.timeMs - b.timeMs)
    .map(({ lat, lon, timeMs }) => {
      offsetMs += Math.min(gapMaxMs, timeMs - (previousMs ?? timeMs));
      previousMs = timeMs;
      return { lat, lon, offsetMs };
    });
}
