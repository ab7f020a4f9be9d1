import type { JsonSchema } from './schema-policy.ts';

/** Turns the texts of a path or a query into the types that their schema asks for. What does not fit stays a text, and validation says so. */
export type Coerce = (texts: Readonly<Record<string, string | readonly string[]>>) => Record<string, unknown>;

type CoerceText = (text: string) => unknown;

/** As JSON writes numbers, and so every client: a small one may come with an exponent. */
const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** `-1.7976931348623157e+308` has 24. */
const numberLengthMax = 32;
const integer = /^-?(?:0|[1-9]\d{0,15})$/;

/** Stricter than ECMAScript's conversion: no spaces, no hexadecimal, no `Infinity`. */
export function compileCoercion(schema: JsonSchema | undefined): Coerce | undefined {
  const properties = (schema?.['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>;
  const rules = new Map<string, { readonly coerce: CoerceText; readonly isList: boolean }>();
  for (const [name, property] of Object.entries(properties)) {
    const isList = property['type'] === 'array';
    const coerce = coercionOf(isList ? (property['items'] as JsonSchema | undefined) : property);
    if (isList || coerce !== undefined) rules.set(name, { coerce: coerce ?? ((text) => text), isList });
  }
  if (rules.size === 0) return undefined;
  return (texts) => {
    const values: Record<string, unknown> = { ...texts };
    for (const [name, rule] of rules) {
      const text = texts[name];
      if (text === undefined) continue;
      if (rule.isList) values[name] = (typeof text === 'string' ? [text] : text).map(rule.coerce);
      else if (typeof text === 'string') values[name] = rule.coerce(text);
    }
    return values;
  };
}

function coercionOf(schema: JsonSchema | undefined): CoerceText | undefined {
  const types = [schema?.['type']].flat();
  if (types.includes('number')) return toNumber;
  if (types.includes('integer')) return (text) => (integer.test(text) ? Number(text) : text);
  if (types.includes('boolean')) return (text) => (text === 'true' ? true : text === 'false' ? false : text);
  return undefined;
}

function toNumber(text: string): unknown {
  if (text.length > numberLengthMax || !number.test(text)) return text;
  const value = Number(text);
  return Number.isFinite(value) ? value : text;
}
