import type { Route } from '../route.ts';
import type { SchemaCheck } from '../schema-compiler.ts';
import { createExample } from './schema-example.ts';

/** What an operation can be tried with; each part matches its schema, and is left out where no value was found that does. */
export interface OperationExample {
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** Of a body of lines: one of them. */
  readonly body?: { readonly value: unknown };
  readonly responses: ReadonlyMap<number, unknown>;
}

export function createOperationExample(route: Route, nowMs: number): OperationExample {
  const line = route.upload?.as === 'lines' ? route.upload.check : undefined;
  const body = exampleOf(route.body ?? line, { nowMs, whole: false });
  const responses = new Map<number, unknown>();
  for (const [status, check] of route.response) {
    const found = exampleOf(check, { nowMs, whole: true });
    if (found !== undefined) responses.set(status, found.value);
  }
  return {
    params: toRecord(exampleOf(route.params, { nowMs, whole: true })?.value),
    query: toRecord(exampleOf(route.query, { nowMs, whole: false })?.value),
    ...(body === undefined ? {} : { body }),
    responses,
  };
}

function exampleOf(
  check: SchemaCheck | undefined,
  context: Parameters<typeof createExample>[1],
): { readonly value: unknown } | undefined {
  if (check === undefined) return undefined;
  const value = createExample(check.schema, context);
  return check.matches(value) ? { value } : undefined;
}

function toRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
