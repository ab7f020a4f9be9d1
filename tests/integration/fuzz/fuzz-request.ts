/** Requests made from the description of an operation: right ones, and wrong ones of every kind. */
import fc, { type Arbitrary } from 'fast-check';
import type { Operation } from '../../support/openapi-check.ts';
import { broken, brokenOf, brokenText, matching, type Schema } from '../../support/schema-arbitrary.ts';

export interface FuzzRequest {
  /** Index of who calls. */
  readonly caller: number;
  /** Percent-encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly encoding: 'utf8' | 'latin1';
}

export interface FuzzTarget {
  readonly template: string;
  readonly operation: Operation;
  readonly callers: number;
  /** Ids that exist, by the name of a parameter: what was seen in answers. */
  readonly known: ReadonlyMap<string, readonly string[]>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: object;
}

const rawSegments = [
  '%',
  '%zz',
  '%00',
  '%ff',
  '..',
  '.',
  '%2e%2e%2f',
  '%20',
  '*',
  '%F0%9F%98%80',
  'x'.repeat(300),
  "'%3b--",
];

export function fuzzRequest({ template, operation, callers, known }: FuzzTarget): Arbitrary<FuzzRequest> {
  const parameters = operation.parameters as readonly Parameter[];
  const content = Object.entries(operation.requestBody?.content ?? {})[0];
  return fc
    .record({
      caller: fc.nat({ max: callers - 1 }),
      segments: fc.tuple(...parameters.filter((each) => each.in === 'path').map((each) => pathValue(each, known))),
      query: queryOf(parameters.filter((each) => each.in === 'query')),
      body: content === undefined ? unwantedBody() : bodyOf(content),
      key: fc.option(fc.oneof(fc.uuid(), fc.constantFrom('', ' ', 'a b', 'x'.repeat(256), 'same', '"quoted"')), {
        freq: 5,
      }),
      match: fc.option(fc.constantFrom('"1"', '*', 'W/"1"', '1', 'not a version', '"99999999999999999999"'), {
        freq: 8,
      }),
    })
    .map(({ caller, segments, query, body, key, match }) => {
      let next = 0;
      const path = template.replaceAll(/\{\w+\}/g, () => String(segments[next++]));
      return {
        caller,
        path: query === '' ? path : `${path}?${query}`,
        headers: {
          ...body.headers,
          ...(key === null ? {} : { 'idempotency-key': key }),
          ...(match === null ? {} : { 'if-match': match }),
        },
        body: body.text,
        encoding: body.encoding ?? 'utf8',
      };
    });
}

/** Existing, well-formed, or odd. What exists is drawn when the request is made: the map grows meanwhile. */
function pathValue({ name, schema }: Parameter, known: FuzzTarget['known']): Arbitrary<string> {
  return fc.oneof(
    {
      weight: 5,
      arbitrary: fc.tuple(fc.nat(), matching(schema as Schema)).map(([at, fallback]) => {
        const ids = known.get(name) ?? [];
        return encode(ids.length === 0 ? fallback : ids[at % ids.length]);
      }),
    },
    { weight: 2, arbitrary: matching(schema as Schema).map(encode) },
    { weight: 1, arbitrary: fc.constantFrom(...rawSegments) },
    {
      weight: 1,
      arbitrary: broken(schema as Schema).map((value) =>
        encode(typeof value === 'object' ? JSON.stringify(value) : value),
      ),
    },
  );
}

function encode(value: unknown): string {
  const text = String(value).slice(0, 500).toWellFormed();
  return text === '' ? 'x' : encodeURIComponent(text);
}

function queryOf(parameters: readonly Parameter[]): Arbitrary<string> {
  if (parameters.length === 0)
    return fc.constantFrom('', '', '', 'unknown=1', '__proto__=1', '%', '&&=&', `a=${'b'.repeat(5000)}`);
  const pairs = parameters.map(({ name, required, schema }) =>
    fc.option(
      fc
        .oneof({ weight: 4, arbitrary: matching(schema as Schema) }, { weight: 1, arbitrary: broken(schema as Schema) })
        .map((value) => toPair(name, value)),
      { freq: required ? 20 : 2, nil: '' },
    ),
  );
  const extra = fc.constantFrom('', '', '', '', 'unknown=1', 'limit=1&limit=2', '__proto__=x', 'cursor=%00', 'x=%zz');
  return fc.tuple(...pairs, extra).map((all) => all.filter((pair) => pair !== '').join('&'));
}

function toPair(name: string, value: unknown): string {
  const values = Array.isArray(value) ? value : [value];
  return values
    .slice(0, 20)
    .map((each) => `${name}=${encode(typeof each === 'object' ? JSON.stringify(each) : each)}`)
    .join('&');
}

interface Body {
  readonly text: string | undefined;
  /** Of bytes that are no text: `latin1`. @default 'utf8' */
  readonly encoding?: 'latin1';
  readonly headers: Readonly<Record<string, string>>;
}

const json = { 'content-type': 'application/json' };

interface Content {
  readonly schema?: object;
  readonly example?: unknown;
}

function bodyOf([type, { schema = {}, example }]: readonly [string, Content]): Arbitrary<Body> {
  if (!/json|\*/.test(type)) return fileOf(type);
  const generated = matching(schema as Schema);
  // What is shown as an example reaches further than what is made up: its window is ahead, its address exists.
  const valid = example === undefined ? generated : fc.oneof(fc.constant(example), generated);
  const headers = type.includes('json') ? { 'content-type': type } : json;
  const toBody = (value: unknown): Body => ({ text: JSON.stringify(value) ?? 'null', headers });
  const wrongTypes = [
    'text/plain',
    'application/xml',
    'multipart/form-data',
    '',
    'application/json; charset=utf-16',
    'x/y;',
  ];
  return fc.oneof(
    { weight: 6, arbitrary: valid.map(toBody) },
    { weight: 3, arbitrary: broken(schema as Schema).map(toBody) },
    { weight: 3, arbitrary: brokenOf(valid).map(toBody) },
    { weight: 2, arbitrary: brokenText(valid).map((text) => ({ text, headers })) },
    {
      weight: 1,
      arbitrary: fc.tuple(valid, fc.constantFrom(...wrongTypes)).map(([value, wrong]) => ({
        text: JSON.stringify(value),
        headers: wrong === '' ? {} : { 'content-type': wrong },
      })),
    },
    {
      weight: 1,
      arbitrary: valid.map((value) => ({
        text: JSON.stringify(value),
        headers: { ...headers, 'content-encoding': 'gzip' },
      })),
    },
    { weight: 1, arbitrary: fc.constant({ text: undefined, headers: {} }) },
  );
}

/** What says it is a picture and is not, or begins as one. */
function fileOf(type: string): Arbitrary<Body> {
  const beginnings = ['', '\u0089PNG\r\n\u001A\n', '%PDF-1.7\n', 'GIF89a', '<svg onload="x()">', 'PK\u0003\u0004'];
  return fc
    .tuple(fc.constantFrom(...beginnings), fc.string({ unit: 'binary', maxLength: 2000 }))
    .map(([beginning, rest]) => ({
      text: `${beginning}${rest}`,
      encoding: 'latin1',
      headers: { 'content-type': type },
    }));
}

function unwantedBody(): Arbitrary<Body> {
  return fc.oneof(
    { weight: 9, arbitrary: fc.constant({ text: undefined, headers: {} }) },
    { weight: 1, arbitrary: fc.constant({ text: '{}', headers: json }) },
  );
}
