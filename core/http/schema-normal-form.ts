import type { JsonSchema } from './schema-policy.ts';

/**
 * The schema in the dialect of OpenAPI 3.1 (2020-12): an array under `items` becomes `prefixItems`.
 * With `closed`, an object that says nothing of further properties takes none, so that a misspelt field of a request
 * is an error and not silently dropped.
 */
export function normalizeSchema(schema: JsonSchema, closed: boolean): JsonSchema {
  return normalize(schema, closed) as JsonSchema;
}

const childKeywords = [
  'additionalProperties',
  'unevaluatedProperties',
  'unevaluatedItems',
  'contains',
  'propertyNames',
];
const inPlaceKeywords = ['allOf', 'anyOf', 'oneOf'];
const conditionKeywords = ['not', 'if', 'then', 'else'];

function normalize(schema: unknown, closed: boolean): unknown {
  if (!isRecord(schema)) return schema;
  const result: Record<string, unknown> = { ...schema };
  normalizeItems(result, closed);
  for (const keyword of childKeywords) if (keyword in result) result[keyword] = normalize(result[keyword], closed);
  for (const keyword of ['properties', 'patternProperties']) {
    const map = result[keyword];
    if (isRecord(map))
      result[keyword] = Object.fromEntries(Object.entries(map).map(([key, item]) => [key, normalize(item, closed)]));
  }
  // Parts of one object must stay open for each other; alternatives that are whole schemas are closed one by one.
  const isWhole = !('allOf' in schema) && !('properties' in schema) && !('if' in schema);
  for (const keyword of inPlaceKeywords) {
    const list = result[keyword];
    if (Array.isArray(list)) result[keyword] = list.map((item) => normalizePart(item, closed, isWhole));
  }
  for (const keyword of conditionKeywords)
    if (keyword in result) result[keyword] = normalizePart(result[keyword], closed, false);
  return closed ? close(result) : result;
}

function normalizeItems(result: Record<string, unknown>, closed: boolean): void {
  const { items, additionalItems } = result as { items?: unknown; additionalItems?: unknown };
  if (Array.isArray(items)) {
    result['prefixItems'] = items.map((item) => normalize(item, closed));
    delete result['items'];
    delete result['additionalItems'];
    if (additionalItems !== undefined) result['items'] = normalize(additionalItems, closed);
    return;
  }
  if (items !== undefined) result['items'] = normalize(items, closed);
  const { prefixItems } = result as { prefixItems?: unknown };
  if (Array.isArray(prefixItems)) result['prefixItems'] = prefixItems.map((item) => normalize(item, closed));
}

/** A schema for the same value as its parent: its own properties are closed only when it stands for the whole. */
function normalizePart(schema: unknown, closed: boolean, isWhole: boolean): unknown {
  const result = normalize(schema, closed);
  if (isWhole || !closed || !isRecord(result) || !isRecord(schema)) return result;
  for (const keyword of ['additionalProperties', 'unevaluatedProperties'])
    if (!(keyword in schema)) delete result[keyword];
  return result;
}

function close(schema: Record<string, unknown>): Record<string, unknown> {
  if ('additionalProperties' in schema || 'unevaluatedProperties' in schema || 'patternProperties' in schema)
    return schema;
  const isComposed =
    'allOf' in schema || (('anyOf' in schema || 'oneOf' in schema || 'if' in schema) && 'properties' in schema);
  if (isComposed) return { ...schema, unevaluatedProperties: false };
  return 'properties' in schema ? { ...schema, additionalProperties: false } : schema;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
