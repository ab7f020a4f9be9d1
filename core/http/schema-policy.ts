/**
 * A plugin's schemas are compiled and run in the core, so they are data to distrust: bounded in size and depth, made of
 * known keywords only, without references (no network, no recursion), without patterns or comparisons that a client
 * could make expensive.
 */
import { AppError } from '#core/errors/app-error.ts';
import { findPatternProblem } from './pattern-policy.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

const schemaLengthMax = 65_536;
const schemaDepthMax = 24;

const schemaKeywords = [
  'items',
  'additionalItems',
  'additionalProperties',
  'unevaluatedProperties',
  'unevaluatedItems',
  'contains',
  'propertyNames',
  'not',
  'if',
  'then',
  'else',
];
const schemaListKeywords = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items'];
const schemaMapKeywords = ['properties', 'patternProperties'];
const plainKeywords = [
  'type',
  'enum',
  'const',
  'multipleOf',
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'pattern',
  'format',
  'maxItems',
  'minItems',
  'uniqueItems',
  'maxContains',
  'minContains',
  'maxProperties',
  'minProperties',
  'required',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
];
const knownKeywords = new Set([...schemaKeywords, ...schemaListKeywords, ...schemaMapKeywords, ...plainKeywords]);
const referenceKeywords = new Set([
  '$ref',
  '$dynamicRef',
  '$recursiveRef',
  '$id',
  '$anchor',
  '$dynamicAnchor',
  '$defs',
  'definitions',
  '$schema',
]);

/** @throws {AppError} INVALID_SCHEMA with the place in the schema and what is allowed */
export function assertSafeSchema(schema: unknown, name: string): asserts schema is JsonSchema {
  const length = JSON.stringify(schema)?.length ?? 0;
  if (length > schemaLengthMax)
    refuse(name, '', `it must have at most ${schemaLengthMax} characters as JSON: it has ${length}`);
  check(schema, { name, at: '' }, 0);
}

interface Place {
  readonly name: string;
  /** JSON pointer. */
  readonly at: string;
}

function check(schema: unknown, { name, at: place }: Place, depth: number): void {
  if (typeof schema === 'boolean' && place !== '') return;
  if (!isRecord(schema)) return refuse(name, place, 'a schema must be an object');
  if (depth > schemaDepthMax) return refuse(name, place, `it must not be nested deeper than ${schemaDepthMax}`);
  for (const [keyword, value] of Object.entries(schema)) {
    const at = `${place}/${keyword}`;
    if (referenceKeywords.has(keyword))
      refuse(name, at, 'references are not followed; write the schema where it is used');
    if (!knownKeywords.has(keyword)) refuse(name, at, 'the keyword is not known');
    if (keyword === 'pattern') checkPattern(value, name, at);
    if (keyword === 'uniqueItems') checkUniqueItems(schema, name, at);
    if (Array.isArray(value) && schemaListKeywords.includes(keyword))
      value.forEach((item, index) => check(item, { name, at: `${at}/${index}` }, depth + 1));
    else if (schemaKeywords.includes(keyword)) check(value, { name, at }, depth + 1);
    else if (schemaMapKeywords.includes(keyword)) checkMap(value, { name, at }, depth);
  }
}

function checkMap(value: unknown, { name, at }: Place, depth: number): void {
  if (!isRecord(value)) return refuse(name, at, 'it must be an object');
  for (const [key, item] of Object.entries(value)) {
    if (at.endsWith('/patternProperties')) checkPattern(key, name, `${at}/${key}`);
    check(item, { name, at: `${at}/${key}` }, depth + 1);
  }
}

function checkPattern(pattern: unknown, name: string, at: string): void {
  if (typeof pattern !== 'string') return refuse(name, at, 'a pattern must be a string');
  const problem = findPatternProblem(pattern);
  if (problem !== undefined) refuse(name, at, `pattern "${pattern.slice(0, 80)}" is refused: ${problem}`);
}

/** Objects are compared each with each, which a long array makes expensive; scalars are looked up in a table. */
function checkUniqueItems(schema: JsonSchema, name: string, at: string): void {
  const type = isRecord(schema['items']) ? schema['items']['type'] : undefined;
  if (schema['uniqueItems'] === true && (typeof type !== 'string' || type === 'object' || type === 'array')) {
    refuse(name, at, '"uniqueItems" needs "items" of one scalar type');
  }
}

function refuse(name: string, place: string, what: string): never {
  throw new AppError('INVALID_SCHEMA', `Cannot use schema "${name}" at "#${place.slice(0, 400)}": ${what}`, {
    details: { schema: name, pointer: `#${place.slice(0, 400)}` },
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
