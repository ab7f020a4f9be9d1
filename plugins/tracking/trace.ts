import type { TrackKey } from './store/track-days.ts';

/**
 * Many fixes of a driver in the order of their times, as columns of the numbers that the database has: 100,000 take 4 MB,
 * outside the heap. As objects they would take eight times as much.
 */
export interface Trace {
  readonly length: number;
  /** Since the epoch, in whole milliseconds. */
  readonly timeMs: Float64Array;
  readonly trackKey: Int32Array;
  /** Degrees times 10^7. */
  readonly latE7: Int32Array;
  readonly lonE7: Int32Array;
  /** -1: not known; so are speed and heading. */
  readonly accuracyCm: Int32Array;
  readonly speedCmPerS: Int32Array;
  readonly headingTenths: Int32Array;
  readonly receivedLagCs: Int32Array;
  /** 1 inaccurate, 2 impossible speed. */
  readonly flags: Int32Array;
  readonly devices: ReadonlyMap<number, string>;
}

const columnNames = [
  'timeMs',
  'trackKey',
  'latE7',
  'lonE7',
  'accuracyCm',
  'speedCmPerS',
  'headingTenths',
  'receivedLagCs',
  'flags',
] as const;
type Columns = Record<Exclude<(typeof columnNames)[number], 'timeMs'>, Int32Array> & { timeMs: Float64Array };

export interface TraceBuilder {
  readonly length: number;
  /** Adds the rows of a text of whole numbers: columns in their order with commas between, rows with semicolons. */
  add(text: string): void;
  /** Of the last row. */
  lastKey(): TrackKey | undefined;
  /** The first rows, at most this many. */
  finish(lengthMax: number, devices: ReadonlyMap<number, string>): Trace;
}

export function createTraceBuilder(capacity: number): TraceBuilder {
  let columns = createColumns(capacity);
  let length = 0;

  function put(index: number, value: number): void {
    const name = columnNames[index];
    if (name === undefined) throw new RangeError('A row of the trace has too many columns');
    columns[name][length] = value;
  }

  return {
    get length() {
      return length;
    },
    add(text) {
      let column = 0;
      let value = 0;
      let sign = 1;
      // Read by hand: to split it would make a million small texts of a day.
      for (let position = 0; position <= text.length; position += 1) {
        const code = position === text.length ? semicolon : text.charCodeAt(position);
        if (code >= digit0) {
          if (code !== semicolon) {
            value = value * 10 + code - digit0;
            continue;
          }
        } else if (code === minus) {
          sign = -1;
          continue;
        }
        put(column, sign * value);
        value = 0;
        sign = 1;
        column += 1;
        if (code !== semicolon) continue;
        if (column !== columnNames.length) throw new RangeError('A row of the trace has too few columns');
        column = 0;
        length += 1;
        if (length === columns.timeMs.length) columns = grow(columns);
      }
    },
    lastKey: () => (length === 0 ? undefined : keyAt(columns, length - 1)),
    finish: (lengthMax, devices) => ({ ...columns, length: Math.min(length, lengthMax), devices }),
  };
}

const digit0 = 48;
const minus = 45;
const semicolon = 59;

export function keyAt(
  { timeMs, trackKey, latE7, lonE7 }: Pick<Trace, 'timeMs' | 'trackKey' | 'latE7' | 'lonE7'>,
  row: number,
): TrackKey {
  return {
    recordedAt: toInstant(timeMs[row] ?? 0),
    trackKey: trackKey[row] ?? 0,
    latE7: latE7[row] ?? 0,
    lonE7: lonE7[row] ?? 0,
  };
}

const dayMs = 86_400_000;
let lastDay = { number: Number.NaN, prefix: '' };
const pad = (number: number, digits: number): string => String(number).padStart(digits, '0');

/** As `toISOString()`, in a third of the time: the fixes of an answer are of the same day or two. */
export function toInstant(timeMs: number): string {
  const number = Math.floor(timeMs / dayMs);
  if (number !== lastDay.number) lastDay = { number, prefix: new Date(number * dayMs).toISOString().slice(0, 11) };
  const ofDay = timeMs - number * dayMs;
  const seconds = Math.floor(ofDay / 1000);
  const minutes = Math.floor(seconds / 60);
  const clock = `${pad(Math.floor(minutes / 60), 2)}:${pad(minutes % 60, 2)}:${pad(seconds % 60, 2)}`;
  return `${lastDay.prefix}${clock}.${pad(ofDay % 1000, 3)}Z`;
}

function createColumns(capacity: number): Columns {
  const rest = columnNames.slice(1).map((name) => [name, new Int32Array(capacity)] as const);
  return { timeMs: new Float64Array(capacity), ...(Object.fromEntries(rest) as Omit<Columns, 'timeMs'>) };
}

function grow(columns: Columns): Columns {
  const larger = createColumns(2 * columns.timeMs.length);
  for (const name of columnNames) larger[name].set(columns[name]);
  return larger;
}
