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
  const size = await stat(file).then(
    (found) => found.size,
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
  return points
    .filter(({ time }) => time !== undefined)
    .map((point, index) => toPoint(point, `trkpt ${index + 1}`, fail));
}

interface GpxPoint {
  readonly lat?: string;
  readonly lon?: string;
  readonly time?: string;
}

function readCsv(text: string, fail: Fail): readonly TimedPoint[] {
  let rows: readonly Record<string, string>[];
  try {
    rows = parseCsv<Record<string, string>>(text, { columns: true, trim: true, skip_empty_lines: true, bom: true });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error), error);
  }
  return rows.map((row, index) => toPoint(row, `line ${index + 2}`, fail));
}

function readOwnTracks(text: string, fail: Fail): readonly TimedPoint[] {
  return text.split('\n').flatMap((line, index): TimedPoint[] => {
    if (line.trim() === '') return [];
    const place = `line ${index + 1}`;
    let message: Readonly<Record<string, unknown>>;
    try {
      message = JSON.parse(line) as Readonly<Record<string, unknown>>;
    } catch (error) {
      return fail(`${place} must be one JSON object`, error);
    }
    // Other types (lwt, transition, waypoint) are part of a recording and no positions.
    if (message['_type'] !== 'location') return [];
    return [toPoint({ lat: message['lat'], lon: message['lon'], time: message['tst'] }, place, fail)];
  });
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
