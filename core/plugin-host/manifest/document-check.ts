/** Reads a JSON file of the operator or of a plugin's author, and says everything that is wrong with it at once: where, what it is, what would be right. */
import { Ajv, type ErrorObject } from 'ajv';
import type { TSchema } from 'typebox';
import { AppError } from '#core/errors/app-error.ts';
import type { ErrorCode } from '#core/errors/codes.ts';
import { nearestName } from './edit-distance.ts';
import {
  JsonSyntaxError,
  lineAndColumn,
  parseJsonDocument,
  type JsonDocument,
  type JsonPath,
} from './json-document.ts';

export interface DocumentProblem {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A problem that only the meaning of the document shows. */
export interface MeaningProblem {
  readonly path: JsonPath;
  readonly message: string;
}

export interface DocumentCheckOptions<T> {
  readonly schema: TSchema;
  readonly code: ErrorCode;
  readonly meaning?: (value: T) => readonly MeaningProblem[];
}

export interface CheckedDocument<T> {
  readonly value: T;
  readonly document: JsonDocument;
}

/** `(text, file)` to the typed value; throws an AppError with every problem in `details.problems`. */
export type DocumentCheck<T> = (text: string, file: string) => CheckedDocument<T>;

const problemsMax = 20;

export function createDocumentCheck<T>(options: DocumentCheckOptions<T>): DocumentCheck<T> {
  // Read once at the start: to optimise the check takes longer than what it saves.
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    strict: true,
    allowUnionTypes: true,
    code: { optimize: false },
  });
  const validate = ajv.compile(options.schema);
  return (text, file) => {
    const document = parse(text, file, options.code);
    const value = toPlain(document.value);
    const duplicates = document.duplicates.map((problem) => ({ ...problem, path: '' }));
    const shape = validate(value) ? [] : schemaProblems(validate.errors ?? []);
    const meaning = shape.length > 0 || duplicates.length > 0 ? [] : (options.meaning?.(value as T) ?? []);
    const problems = [...duplicates, ...[...shape, ...meaning].map((problem) => place(document, problem))].toSorted(
      (a, b) => a.line - b.line || a.column - b.column,
    );
    if (problems.length > 0) throw refusal(file, problems, options.code);
    return { value: value as T, document };
  };
}

function parse(text: string, file: string, code: ErrorCode): JsonDocument {
  try {
    return parseJsonDocument(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw refusal(file, [{ ...error.problem, path: '' }], code);
  }
}

function refusal(file: string, problems: readonly DocumentProblem[], code: ErrorCode): AppError {
  const lines = problems
    .slice(0, problemsMax)
    .map(({ line, column, path, message }) => `  ${file}:${line}:${column} ${path === '' ? '' : `${path} `}${message}`);
  if (problems.length > problemsMax) lines.push(`  and ${problems.length - problemsMax} more`);
  return new AppError(code, `Cannot use ${file}:\n${lines.join('\n')}`, { details: { file, problems } });
}

function place(document: JsonDocument, problem: MeaningProblem): DocumentProblem {
  const known = problem.path.findLastIndex(
    (_, index) => document.placeOf(problem.path.slice(0, index + 1)) !== undefined,
  );
  const offset = document.placeOf(problem.path.slice(0, known + 1))?.start ?? 0;
  return { ...lineAndColumn(document.text, offset), path: pathText(problem.path), message: problem.message };
}

/** `permissions.net.hosts[0]`; members that are no plain word in brackets and quotes. */
export function pathText(path: JsonPath): string {
  return path
    .map((part) => {
      if (typeof part === 'number') return `[${part}]`;
      return /^[A-Za-z_$][\w$-]*$/.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`;
    })
    .join('')
    .replace(/^\./, '');
}

function schemaProblems(errors: readonly ErrorObject[]): MeaningProblem[] {
  const problems = errors.filter(({ keyword }) => !['anyOf', 'if', 'propertyNames'].includes(keyword)).map(toProblem);
  const seen = new Set<string>();
  return problems.filter(({ path, message }) => {
    const key = JSON.stringify([path, message]);
    return seen.has(key) ? false : seen.add(key);
  });
}

function toProblem(error: ErrorObject): MeaningProblem {
  const path = pointerPath(error.instancePath);
  const schema = error.parentSchema as { description?: string; properties?: Record<string, unknown> } | undefined;
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'additionalProperties': {
      const name = String(params['additionalProperty']);
      const known = Object.keys(schema?.properties ?? {});
      const near = nearestName(name, known);
      const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean "${near}"?`;
      return { path: [...path, name], message: `is not known: ${hint}` };
    }
    case 'required':
      return { path, message: `must have "${String(params['missingProperty'])}"` };
    case 'not':
      return { path, message: `is refused: ${schema?.description ?? 'it may not be given'}` };
    case 'pattern':
      return {
        path: nameOf(error, path),
        message: `must be ${schema?.description ?? String(params['pattern'])}: it is ${shown(error.data)}`,
      };
    case 'type':
      return { path, message: `must be ${article([params['type']].flat().map(String))}: it is ${shown(error.data)}` };
    case 'enum':
    case 'const': {
      const allowed = [params['allowedValues'] ?? params['allowedValue']].flat();
      return {
        path,
        message: `must be ${allowed.map((value) => JSON.stringify(value)).join(' or ')}: it is ${shown(error.data)}`,
      };
    }
    default:
      return { path, message: `${error.message ?? error.keyword}: it is ${shown(error.data)}` };
  }
}

function nameOf(error: ErrorObject, path: JsonPath): JsonPath {
  return error.propertyName === undefined ? path : [...path, error.propertyName];
}

function pointerPath(pointer: string): JsonPath {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

function article(types: readonly string[]): string {
  return types
    .map((type) => (type === 'boolean' ? 'true or false' : `${/^[aio]/.test(type) ? 'an' : 'a'} ${type}`))
    .join(' or ');
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** Objects with a prototype again, for ordinary code; `__proto__` stays an own member, which every schema refuses. */
function toPlain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}
