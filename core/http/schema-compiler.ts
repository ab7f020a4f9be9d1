import type { FormatDefinition } from 'ajv';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { LRUCache } from 'lru-cache';
import { AppError } from '#core/errors/app-error.ts';
import { fastDateTime } from './date-time-format.ts';
import { compilePattern } from './pattern-policy.ts';
import { toFieldErrors, type FieldError } from './field-error.ts';
import type { JsonSchema } from './schema-policy.ts';

export interface SchemaCheck {
  readonly schema: JsonSchema;
  matches(value: unknown): boolean;
  /** What is wrong with a value that does not match: at least one, at most 20. */
  explain(value: unknown): readonly FieldError[];
}

const errorsMax = 20;
/** Above this only the first error is looked for: a client must not choose how many are collected. */
const collectedLengthMax = 16_384;

/** More than the routes of a large installation have. */
const checksMax = 2000;
/**
 * By the schema's text. A plugin that restarts brings the same schemas again, all at once: to compile them anew would
 * hold up every other plugin's requests meanwhile.
 */
const checks = new LRUCache<string, SchemaCheck>({ max: checksMax });

const compilers = {
  plain: createCompiler({}),
  first: createCompiler({ verbose: true }),
  all: createCompiler({ verbose: true, allErrors: true }),
};

/**
 * Compiles a schema that `assertSafeSchema` has passed. Matching runs compiled code that stops at the first error;
 * the slower forms that explain are compiled when they are first needed.
 *
 * @throws {AppError} INVALID_SCHEMA
 */
export function compileSchema(schema: JsonSchema, name: string): SchemaCheck {
  const text = JSON.stringify(schema);
  const known = checks.get(text);
  if (known !== undefined) return known;
  const check = createCheck(schema, name);
  checks.set(text, check);
  return check;
}

function createCheck(schema: JsonSchema, name: string): SchemaCheck {
  const matches = compile('plain', schema, name);
  const explainers: Partial<Record<'first' | 'all', ValidateFunction>> = {};
  return {
    schema,
    matches: (value) => matches(value),
    explain(value) {
      const kind = (JSON.stringify(value)?.length ?? 0) > collectedLengthMax ? 'first' : 'all';
      const explainer = (explainers[kind] ??= compile(kind, schema, name));
      explainer(value);
      const errors = toFieldErrors(explainer.errors ?? []).slice(0, errorsMax);
      // Errors hold the client's values; the compiled function outlives the request.
      explainer.errors = null;
      return errors;
    },
  };
}

function compile(kind: keyof typeof compilers, schema: JsonSchema, name: string): ValidateFunction {
  const compiler = compilers[kind];
  try {
    return compiler.compile(schema);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new AppError('INVALID_SCHEMA', `Cannot use schema "${name}": ${message}`, {
      details: { schema: name },
      cause: error,
    });
  } finally {
    // The compiler remembers every schema it has seen; plugins restart for as long as the process lives.
    compiler.removeSchema(schema);
  }
}

function createCompiler(options: { readonly verbose?: boolean; readonly allErrors?: boolean }): Ajv2020 {
  const compiler = new Ajv2020({
    ...options,
    strict: true,
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
    allowUnionTypes: true,
    messages: options.verbose === true,
    logger: false,
    code: {
      regExp: Object.assign((pattern: string) => compilePattern(pattern), { code: 'compilePattern' }),
      // It takes a third of the time to compile, and the checks are not quicker for it: V8 does the same.
      optimize: false,
    },
  });
  // Dates are checked as dates; the other formats in the forms that need linear time on any text.
  addFormats.default(compiler, {
    mode: 'full',
    formats: ['date', 'time', 'date-time', 'duration', 'uuid', 'ipv4', 'ipv6'],
  });
  compiler.addFormat('date-time', fastDateTime(compiler.formats['date-time'] as FormatDefinition<string>));
  addFormats.default(compiler, { mode: 'fast', formats: ['email', 'uri', 'hostname'] });
  return compiler;
}
