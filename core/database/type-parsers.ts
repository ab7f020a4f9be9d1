import * as pg from 'pg';

const { builtins, getTypeParser } = pg.types;
type Parse = (text: string) => unknown;

/**
 * What crosses the process boundary is JSON, so a plugin's results hold nothing that JSON would change in silence:
 * timestamps as ISO 8601 strings in UTC, dates as they are, bigint and numeric as decimal strings, bytea as base64.
 */
const parsers = new Map<number, Parse>([
  [builtins.TIMESTAMPTZ, toIsoTimestamp],
  [builtins.TIMESTAMP, (text) => text.replace(' ', 'T')],
  [builtins.DATE, (text) => text],
  [builtins.INTERVAL, (text) => text],
  [builtins.BYTEA, toBase64],
  [1182, toArrayOf((text) => text)],
  [1115, toArrayOf((text) => text.replace(' ', 'T'))],
  [1185, toArrayOf(toIsoTimestamp)],
  [1001, toArrayOf(toBase64)],
  [1187, toArrayOf((text) => text)],
]);

/** For pools of plugins. */
export const pluginTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    (format === 'binary' ? undefined : parsers.get(oid)) ??
    getTypeParser(oid, 'text')) as pg.CustomTypesConfig['getTypeParser'],
};

const zone = '+00';
const space = 10;
const secondsEnd = 19;
const millisecondsEnd = 23;

/** Postgres writes `2026-01-02 03:04:05.678901+00`; `infinity` stays as it is. */
function toIsoTimestamp(text: string): string {
  // In UTC and this side of the year 10000, the form itself is changed: a date need not be made to be written again.
  if (text.endsWith(zone) && text[space] === ' ') {
    const fraction = text.slice(secondsEnd, -zone.length);
    if (fraction === '') return `${text.slice(0, space)}T${text.slice(space + 1, secondsEnd)}.000Z`;
    if (fraction[0] === '.' && fraction.length <= 7)
      return `${text.slice(0, space)}T${text.slice(space + 1, secondsEnd)}${fraction.slice(0, millisecondsEnd - secondsEnd).padEnd(4, '0')}Z`;
  }
  if (text.endsWith('infinity')) return text;
  const date = new Date(getTypeParser(builtins.TIMESTAMPTZ, 'text')(text) as Date);
  return Number.isNaN(date.getTime()) ? text : date.toISOString();
}

function toBase64(text: string): string {
  return (getTypeParser(builtins.BYTEA, 'text')(text) as Buffer).toString('base64');
}

function toArrayOf(parse: Parse): Parse {
  // pg's parser of text[] gives the elements as they are written.
  const toTexts = getTypeParser(1009 as number, 'text') as (text: string) => unknown;
  const map = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(map) : value === null ? null : parse(value as string);
  return (text) => map(toTexts(text));
}
