import type { HttpContext, HttpStep } from '../http-context.ts';
import { RequestRefusal } from '../request-refusal.ts';
import type { SchemaCheck } from '../schema-compiler.ts';
import type { Coerce } from '../text-coercion.ts';

type Texts = Record<string, string | string[]>;
type FoundErrors = NonNullable<RequestRefusal['errors']>;

const queryLengthMax = 4096;

/** Checks path, query and body against the route's schemas and tells all that is wrong at once. */
export function validation(): HttpStep {
  return (ctx) => {
    const { state } = ctx;
    const { route } = state;
    state.params = typed(readParams(ctx), route.coerceParams);
    state.query = typed(readQuery(ctx.querystring), route.coerceQuery);
    const isValid =
      (route.params === undefined || route.params.matches(state.params)) &&
      (route.query === undefined ? ctx.querystring === '' : route.query.matches(state.query)) &&
      (route.body === undefined || route.body.matches(state.body));
    if (!isValid) throw explain(ctx);
    return undefined;
  };
}

function explain(ctx: HttpContext): RequestRefusal {
  const { route, params, query, body } = ctx.state;
  const errors: FoundErrors = [
    ...explainPart('path', route.params, params),
    ...(route.query === undefined ? unknownQuery(query) : explainPart('query', route.query, query)),
    ...explainPart('body', route.body, body),
  ];
  const [first] = errors;
  const summary = first === undefined ? '' : `: ${first.in} ${first.pointer} ${first.detail}`;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return new RequestRefusal('VALIDATION_FAILED', `Cannot ${route.name}${summary}${more}`, { errors });
}

function explainPart(part: 'path' | 'query' | 'body', check: SchemaCheck | undefined, value: unknown): FoundErrors {
  if (check === undefined || check.matches(value)) return [];
  return check.explain(value).map((error) => ({ in: part, ...error }));
}

function unknownQuery(query: unknown): FoundErrors {
  return Object.keys(query as Texts)
    .slice(0, 20)
    .map((name) => ({
      in: 'query' as const,
      pointer: `#/${name.slice(0, 100)}`,
      detail: 'is not known; this route takes no query',
    }));
}

function typed(texts: Texts, coerce: Coerce | undefined): unknown {
  return coerce === undefined ? texts : coerce(texts);
}

function readParams(ctx: HttpContext): Texts {
  const { match, route } = ctx.state;
  const texts: Texts = {};
  if (match.kind !== 'found') return texts;
  const { names } = route.path;
  for (let index = 0; index < names.length; index += 1)
    texts[names[index] ?? ''] = decodeSegment(match.segments[index] ?? '');
  return texts;
}

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  refuseZero(segment, 'path');
  try {
    return decodeURIComponent(segment);
  } catch {
    // The only error is a broken percent sequence.
    throw new RequestRefusal(
      'MALFORMED_REQUEST',
      `Cannot read "${segment.slice(0, 100)}" in the path: its percent encoding is broken`,
    );
  }
}

/** No name and no id has one, and Postgres takes none in a text: a route without a pattern for it would fail. */
function refuseZero(encoded: string, part: 'path' | 'query'): void {
  if (encoded.includes('%00'))
    throw new RequestRefusal('MALFORMED_REQUEST', `Cannot read the ${part}: it must be without the character %00`);
}

const noQuery: Texts = Object.freeze({});

function readQuery(query: string): Texts {
  if (query === '') return noQuery;
  if (query.length > queryLengthMax)
    throw new RequestRefusal(
      'MALFORMED_REQUEST',
      `Cannot read the query: it must have at most ${queryLengthMax} characters`,
    );
  refuseZero(query, 'query');
  // Without a prototype: a client may call a parameter "__proto__".
  const texts = Object.create(null) as Texts;
  for (const [name, value] of new URLSearchParams(query)) {
    const earlier = texts[name];
    texts[name] = earlier === undefined ? value : [...[earlier].flat(), value];
  }
  return texts;
}
