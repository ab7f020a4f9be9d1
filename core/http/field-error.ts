import type { ErrorObject } from 'ajv';

/** One thing that is wrong: where (a JSON pointer as URI fragment), what it is and what would be right. */
export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

const namesMax = 20;

/** Errors as ajv reports them with `verbose`, one sentence each; the failed branches of a union are told as one. */
export function toFieldErrors(errors: readonly ErrorObject[]): FieldError[] {
  const unions = errors.filter((error) => error.keyword === 'anyOf' || error.keyword === 'oneOf');
  const told = errors.filter(
    (error) =>
      error.keyword !== 'if' &&
      !unions.some((union) => union !== error && error.schemaPath.startsWith(`${union.schemaPath}/`)),
  );
  return told.map(toFieldError);
}

function toFieldError(error: ErrorObject): FieldError {
  const params = error.params as Readonly<Record<string, unknown>>;
  const place = `#${error.instancePath}`;
  if (error.keyword === 'required') {
    const missing = String(params['missingProperty']);
    return {
      pointer: `${place}/${escapePointer(missing)}`,
      detail: `is missing: it must be ${describeExpected(propertySchema(error, missing))}`,
    };
  }
  if (error.keyword === 'additionalProperties' || error.keyword === 'unevaluatedProperties') {
    const unknown = String(params['additionalProperty'] ?? params['unevaluatedProperty']).slice(0, 100);
    const known = knownProperties(error);
    return {
      pointer: `${place}/${escapePointer(unknown)}`,
      detail: `is not a known field${known === '' ? '' : `; known are ${known}`}`,
    };
  }
  return { pointer: place, detail: `${describeRule(error, params)}: it ${describeActual(error)}` };
}

function describeRule(error: ErrorObject, params: Readonly<Record<string, unknown>>): string {
  switch (error.keyword) {
    case 'minLength':
      return `must have at least ${text(params['limit'])} characters`;
    case 'maxLength':
      return `must have at most ${text(params['limit'])} characters`;
    case 'minItems':
      return `must have at least ${text(params['limit'])} items`;
    case 'maxItems':
      return `must have at most ${text(params['limit'])} items`;
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return `must be ${text(params['comparison'])} ${text(params['limit'])}`;
    case 'pattern':
      return `must match ${text(params['pattern'])}`;
    case 'uniqueItems':
      return 'must not hold the same item twice';
    case 'type':
    case 'enum':
    case 'const':
    case 'anyOf':
    case 'oneOf':
    case 'format':
      return `must be ${describeExpected(error.parentSchema)}`;
    default:
      return error.message ?? `must satisfy "${error.keyword}"`;
  }
}

const formatNames: Readonly<Record<string, string>> = {
  date: 'a date such as 2026-01-31',
  'date-time': 'a date and time such as 2026-01-31T09:30:00Z',
  uuid: 'a UUID',
  email: 'an email address',
  uri: 'a URI',
};

function describeExpected(schema: unknown): string {
  if (typeof schema !== 'object' || schema === null) return 'given';
  const { type, enum: values, const: constant, anyOf, oneOf, format } = schema as Readonly<Record<string, unknown>>;
  if (constant !== undefined) return JSON.stringify(constant);
  if (Array.isArray(values))
    return `one of ${values
      .slice(0, namesMax)
      .map((value) => JSON.stringify(value))
      .join(', ')}`;
  const branches = anyOf ?? oneOf;
  if (Array.isArray(branches)) return [...new Set(branches.slice(0, namesMax).map(describeExpected))].join(' or ');
  if (typeof format === 'string') return formatNames[format] ?? `in the format "${format}"`;
  if (Array.isArray(type)) return type.map((name) => withArticle(String(name))).join(' or ');
  return typeof type === 'string' ? withArticle(type) : 'given';
}

/** Lengths and counts where they are the matter, short scalars as they are, else only the kind: never a whole value. */
function describeActual(error: ErrorObject): string {
  const value: unknown = error.data;
  if (error.keyword.endsWith('Length') && typeof value === 'string') return `has ${Array.from(value).length}`;
  if (error.keyword.endsWith('Items') && Array.isArray(value)) return `has ${value.length}`;
  if (typeof value === 'string')
    return value.length <= 40 ? `is ${JSON.stringify(value)}` : `is a string of ${value.length} characters`;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return `is ${String(value)}`;
  return `is ${Array.isArray(value) ? 'an array' : 'an object'}`;
}

function propertySchema(error: ErrorObject, name: string): unknown {
  const properties = error.parentSchema?.['properties'] as Readonly<Record<string, unknown>> | undefined;
  return properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
}

function knownProperties(error: ErrorObject): string {
  const properties = error.parentSchema?.['properties'] as Readonly<Record<string, unknown>> | undefined;
  return Object.keys(properties ?? {})
    .slice(0, namesMax)
    .map((name) => `"${name}"`)
    .join(', ');
}

function text(value: unknown): string {
  return String(value);
}

function withArticle(type: string): string {
  if (type === 'null') return 'null';
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
