import type { JsonSchema } from '../schema-policy.ts';
import { numberExample, stringExample, type ExampleContext } from './leaf-example.ts';

const depthMax = 24;

/**
 * A value that is likely to match; the caller checks it. What the schema gives as `examples`, `const`, `enum` or
 * `default` is taken as it is, so a plugin can always say what its example is.
 */
export function createExample(schema: unknown, context: ExampleContext): unknown {
  return draft(schema, { name: '', depth: 0, context });
}

interface Place {
  /** Of the property that it is the value of. */
  readonly name: string;
  readonly depth: number;
  readonly context: ExampleContext;
}

function draft(schema: unknown, place: Place): unknown {
  if (!isSchema(schema) || place.depth > depthMax) return {};
  const given = givenValue(schema);
  if (given !== undefined) return given.value;
  const alternatives = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(alternatives)) return draftAlternative(schema, alternatives, place);
  if (Array.isArray(schema['allOf'])) return draft(mergeAll(schema, schema['allOf']), place);
  switch (typeOf(schema)) {
    case 'object':
      return draftObject(schema, place);
    case 'array':
      return draftArray(schema, place);
    case 'string':
      return stringExample(schema, place.name, place.context);
    case 'integer':
    case 'number':
      return numberExample(schema, place.name);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return {};
  }
}

function givenValue(schema: JsonSchema): { readonly value: unknown } | undefined {
  const { examples, enum: values } = schema as { readonly examples?: unknown; readonly enum?: unknown };
  if (Array.isArray(examples) && examples.length > 0) return { value: examples[0] };
  if ('const' in schema) return { value: schema['const'] };
  if (Array.isArray(values) && values.length > 0) return { value: values[0] };
  return 'default' in schema ? { value: schema['default'] } : undefined;
}

function typeOf(schema: JsonSchema): unknown {
  const { type } = schema;
  if (Array.isArray(type)) return type.find((each) => each !== 'null') ?? 'null';
  if (type !== undefined) return type;
  if ('properties' in schema) return 'object';
  return 'items' in schema || 'prefixItems' in schema ? 'array' : undefined;
}

/** The first that is more than nothing. */
function draftAlternative(schema: JsonSchema, alternatives: readonly unknown[], place: Place): unknown {
  const chosen = alternatives.find((each) => isSchema(each) && each['type'] !== 'null') ?? alternatives[0];
  const { anyOf: _any, oneOf: _one, ...rest } = schema as Record<string, unknown>;
  const isPart = 'properties' in rest || 'allOf' in rest;
  return draft(isPart ? mergeAll(rest, [chosen]) : chosen, place);
}

function mergeAll(schema: JsonSchema, parts: readonly unknown[]): JsonSchema {
  const { allOf: _all, ...own } = schema as Record<string, unknown>;
  const all = [own, ...parts.filter(isSchema)];
  const properties = Object.assign({}, ...all.map((part) => part['properties'] ?? {})) as object;
  const required = all.flatMap((part) => (part['required'] as readonly string[] | undefined) ?? []);
  return Object.assign({}, ...all, {
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
    ...(required.length === 0 ? {} : { required: [...new Set(required)] }),
  }) as JsonSchema;
}

function draftObject(schema: JsonSchema, { depth, context }: Place): object {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, unknown>>;
  const required = new Set((schema['required'] ?? []) as readonly string[]);
  const shown = Object.entries(properties).filter(
    // Optional parts of a request may contradict each other; those that say what they look like are meant to be shown.
    ([name, property]) =>
      context.whole || required.has(name) || (isSchema(property) && Array.isArray(property['examples'])),
  );
  const value = Object.fromEntries(
    shown.map(([name, property]) => [name, draft(property, { name, depth: depth + 1, context })]),
  );
  const { minProperties = 0, additionalProperties } = schema as {
    readonly minProperties?: number;
    readonly additionalProperties?: unknown;
  };
  for (const [name, property] of Object.entries(properties)) {
    if (Object.keys(value).length >= minProperties) break;
    value[name] ??= draft(property, { name, depth: depth + 1, context });
  }
  if (Object.keys(value).length < minProperties) {
    value['example'] = draft(additionalProperties ?? {}, { name: 'example', depth: depth + 1, context });
  }
  return value;
}

function draftArray(schema: JsonSchema, { name, depth, context }: Place): unknown[] {
  const {
    prefixItems,
    items,
    minItems = 0,
    maxItems = Infinity,
  } = schema as {
    readonly prefixItems?: readonly unknown[];
    readonly items?: unknown;
    readonly minItems?: number;
    readonly maxItems?: number;
  };
  const place = { name: name.replace(/s$/, ''), depth: depth + 1, context };
  const list = (prefixItems ?? []).map((item) => draft(item, place));
  const wanted = Math.min(Math.max(minItems, list.length, isSchema(items) ? 1 : 0), maxItems);
  while (list.length < wanted) list.push(draft(items ?? {}, place));
  return list;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
