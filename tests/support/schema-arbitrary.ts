/** Values for a JSON Schema (2020-12, as OpenAPI 3.1 has it): such as it asks for, and such as it does not. */
import fc, { type Arbitrary } from 'fast-check';

export type Schema = Readonly<Record<string, unknown>>;

const itemsMax = 4;
const textMax = 60;
/** Of whole numbers that JSON carries unchanged. */
const wholeMax = Number.MAX_SAFE_INTEGER;

/** Values that match. */
export function matching(schema: Schema): Arbitrary<unknown> {
  if ('const' in schema) return fc.constant(schema['const']);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]));
  for (const keyword of ['anyOf', 'oneOf']) {
    const parts = schema[keyword];
    if (Array.isArray(parts) && parts.length > 0) {
      const { [keyword]: _parts, ...rest } = schema;
      return fc.oneof(...(parts as Schema[]).map((part) => matching({ ...rest, ...part })));
    }
  }
  const { type } = schema;
  if (Array.isArray(type)) return fc.oneof(...(type as string[]).map((each) => matching({ ...schema, type: each })));
  return ofType(schema);
}

function ofType(schema: Schema): Arbitrary<unknown> {
  switch (schema['type'] ?? ('properties' in schema ? 'object' : undefined)) {
    case 'object':
      return objectOf(schema);
    case 'array':
      return listOf(schema);
    case 'string':
      return textOf(schema);
    case 'integer':
      return fc.integer(boundsOf(schema, wholeMax));
    case 'number':
      return fc.double({ ...boundsOf(schema, 1e9), noNaN: true, noDefaultInfinity: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function objectOf(schema: Schema): Arbitrary<unknown> {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>;
  const required = (schema['required'] ?? []) as string[];
  const model = Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, matching(part)]));
  return fc.record(model, { requiredKeys: required.filter((name) => name in model) });
}

function listOf(schema: Schema): Arbitrary<unknown> {
  const item = matching((schema['items'] ?? {}) as Schema);
  const minLength = Number(schema['minItems'] ?? 0);
  const maxLength = Math.max(minLength, Math.min(Number(schema['maxItems'] ?? itemsMax), itemsMax));
  return schema['uniqueItems'] === true
    ? fc.uniqueArray(item, { minLength, maxLength, selector: (value) => JSON.stringify(value) })
    : fc.array(item, { minLength, maxLength });
}

function textOf(schema: Schema): Arbitrary<unknown> {
  switch (schema['format']) {
    case 'uuid':
      return fc.uuid();
    case 'date-time':
      return fc
        .date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true })
        .map((date) => date.toISOString());
    case 'date':
      return fc
        .date({ noInvalidDate: true, min: new Date('2020-01-01'), max: new Date('2040-01-01') })
        .map((date) => date.toISOString().slice(0, 10));
    case 'email':
      return fc.emailAddress();
    case 'uri':
      // A name that is nobody's (RFC 6761): it may be called.
      return fc.webPath().map((path) => `https://fuzz.invalid${path}`);
    default:
  }
  const minLength = Number(schema['minLength'] ?? 0);
  const maxLength = Math.max(minLength, Math.min(Number(schema['maxLength'] ?? textMax), textMax));
  const { pattern } = schema;
  if (typeof pattern === 'string')
    return fc.stringMatching(new RegExp(pattern, 'u'), { maxLength: Math.max(maxLength, 40) });
  return fc.string({ unit: 'grapheme', minLength, maxLength });
}

function boundsOf(schema: Schema, widest: number): { readonly min: number; readonly max: number } {
  const step = schema['type'] === 'integer' ? 1 : 1e-6;
  const above = schema['exclusiveMinimum'] === undefined ? undefined : Number(schema['exclusiveMinimum']) + step;
  const below = schema['exclusiveMaximum'] === undefined ? undefined : Number(schema['exclusiveMaximum']) - step;
  return {
    min: Math.max(Number(schema['minimum'] ?? above ?? -widest), -widest),
    max: Math.min(Number(schema['maximum'] ?? below ?? widest), widest),
  };
}

/** What stands where something else should: each has broken a program somewhere. */
const oddities: readonly unknown[] = [
  null,
  true,
  '',
  [],
  {},
  0,
  -1,
  1.5,
  -0,
  2 ** 31,
  2 ** 53 + 2,
  1e308,
  -1e308,
  5e-324,
  'null',
  '__proto__',
  ' ',
  '\u0000',
  'a\u0000b',
  '\u202Eright to left',
  '👩‍👩‍👧‍👦'.repeat(20),
  'ﷺ',
  'i\u0307',
  "'; drop table orders; --",
  '${7*7}{{7*7}}',
  '../../etc/passwd',
  '%00%0d%0aSet-Cookie: a=b',
  '9'.repeat(400),
  '-1e400',
  'x'.repeat(10_000),
  '2026-02-30T25:61:61Z',
  '99999-01-01T00:00:00Z',
  '00000000-0000-0000-0000-000000000000',
];

const oddity = fc.oneof(
  fc.constantFrom(...oddities),
  fc.jsonValue({ maxDepth: 3 }),
  fc.integer({ min: 2, max: 200 }).map((depth) => nest(depth)),
  fc.integer({ min: 50, max: 2000 }).map((length) => Array.from({ length }, (_, index) => index)),
);

function nest(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

/** Values that match but for one place, and now and then something else altogether. */
export function broken(schema: Schema): Arbitrary<unknown> {
  return fc.oneof({ weight: 1, arbitrary: oddity }, { weight: 6, arbitrary: brokenOf(matching(schema)) });
}

/** Each of these values, wrong in one place. */
export function brokenOf(values: Arbitrary<unknown>): Arbitrary<unknown> {
  return fc
    .tuple(values, fc.array(fc.nat(), { minLength: 4, maxLength: 4 }), oddity)
    .map(([value, choices, odd]) => breakAt(structuredClone(value), choices, odd));
}

/** Goes down where the choices lead, and there puts something odd, or takes something away, or adds something. */
function breakAt(value: unknown, [choice = 0, ...choices]: readonly number[], odd: unknown): unknown {
  if (typeof value !== 'object' || value === null || choices.length === 0) return odd;
  const members = value as Record<string, unknown>;
  const names = Object.keys(members);
  const name = names[choice % Math.max(names.length, 1)];
  if (name === undefined || choice % 7 === 0) {
    // As JSON.parse would: a member of this name, not the prototype.
    Object.defineProperty(members, choice % 2 === 0 ? '__proto__' : 'unknown', { value: odd, enumerable: true });
  } else if (choice % 7 === 1) {
    delete members[name];
  } else {
    members[name] = breakAt(members[name], choices, odd);
  }
  return value;
}

/** Text that says it is JSON: what no serializer would write. */
export function brokenText(valid: Arbitrary<unknown>): Arbitrary<string> {
  const text = valid.map((value) => JSON.stringify(value) ?? 'null');
  return fc.oneof(
    fc.constantFrom(
      '',
      ' ',
      '{',
      '[',
      '"',
      '{"a":',
      'nul',
      'NaN',
      '\uFEFF{}',
      '{}{}',
      '{"a":1,"a":2}',
      '{"a":01}',
      '[1e999]',
      '{"a":"\\ud800"}',
      '[,]',
      '\u0000',
    ),
    fc.integer({ min: 1000, max: 50_000 }).map((depth) => '['.repeat(depth)),
    fc.tuple(text, fc.nat()).map(([whole, at]) => whole.slice(0, at % (whole.length + 1))),
    fc.tuple(text, fc.nat(), fc.string({ maxLength: 3, unit: 'binary' })).map(([whole, at, piece]) => {
      const place = at % (whole.length + 1);
      return `${whole.slice(0, place)}${piece}${whole.slice(place)}`;
    }),
    text.map((whole) => whole.replace(/-?\d+(\.\d+)?/, '1e999')),
  );
}
