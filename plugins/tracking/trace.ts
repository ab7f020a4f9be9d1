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

const minuteMs = 60_000;
/** The newest minutes asked for, by their number modulo the size: times of fixes and of their receipt take turns. */
const minutePrefixes: { number: number; prefix: string }[] = Array.from({ length: 16 }, () => ({
  number: Number.NaN,
  prefix: '',
}));
const padded = (count: number, digits: number): readonly string[] =>
  Array.from({ length: count }, (_, number) => String(number).padStart(digits, '0'));
const secondTexts = padded(60, 2);
const millisecondTexts = padded(1000, 3);

/** As `toISOString()`, in a tenth of the time: an answer has 86,400 fixes a day, and two times of each. */
export function toInstant(timeMs: number): string {
  const number = Math.floor(timeMs / minuteMs);
  const known = minutePrefixes[number & 15];
  if (known === undefined) throw new RangeError(`Cannot write the time ${timeMs}`);
  if (known.number !== number) {
    known.prefix = new Date(number * minuteMs).toISOString().slice(0, 17);
    known.number = number;
  }
  const ofMinute = timeMs - number * minuteMs;
  return `${known.prefix}${secondTexts[Math.floor(ofMinute / 1000)]}.${millisecondTexts[ofMinute % 1000]}Z`;
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
