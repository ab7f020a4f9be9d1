import { Type, type Static } from 'typebox';
import type { HttpReply, HttpRequest, PluginContext } from '#plugin-api';
import { refuse } from './errors.ts';
import { fixFlags } from './fix.ts';
import { fromCursor, toCursor, toRange, type Range } from './history.ts';
import { contentTypes, exportTrace, type Format } from './history/export.ts';
import { toFlags } from './history/json.ts';
import type { TrackRange } from './store/track-days.ts';
import { readTrack } from './store/track.ts';
import { readTrace } from './store/trace.ts';
import { keyAt } from './trace.ts';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const nullableNumber = Type.Union([Type.Number(), Type.Null()]);

/** Fixes that are read for one answer: a day at 1 Hz, and some. */
const limitMax = 100_000;
/** Up to here an answer of JSON is one frame, checked as a whole. */
const pageMax = 1000;
/** Answers of more fixes than a page at the same time: each keeps 4 MB until its client has it. */
const exportsMax = 8;

const DriverParams = Type.Object({ driverId: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }) }, closed);
const HistoryQuery = Type.Object(
  {
    from: Type.Optional(instant),
    to: Type.Optional(instant),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: limitMax, description: 'Fixes read; 100 of JSON, else 100,000 by default' }),
    ),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 300 })),
    simplify: Type.Optional(
      Type.Number({
        minimum: 0.1,
        maximum: 10_000,
        description: 'Leave out what lies within so many metres of the line',
      }),
    ),
    format: Type.Optional(Type.Enum(['json', 'geojson', 'gpx'])),
  },
  closed,
);
type HistoryQuery = Static<typeof HistoryQuery>;
const HistoryPage = Type.Object(
  {
    fixes: Type.Array(
      Type.Object(
        {
          device: Type.String({ maxLength: 64 }),
          recordedAt: instant,
          lat: Type.Number(),
          lon: Type.Number(),
          accuracyM: nullableNumber,
          speedMps: nullableNumber,
          headingDeg: nullableNumber,
          receivedAt: instant,
          flags: Type.Array(Type.Enum([...fixFlags]), { maxItems: fixFlags.length }),
        },
        closed,
      ),
      { maxItems: limitMax },
    ),
    nextCursor: Type.Union([Type.String({ maxLength: 300 }), Type.Null()]),
  },
  closed,
);

type Request = HttpRequest<{ readonly driverId: string }, HistoryQuery>;

export function registerHistory(ctx: PluginContext, now: () => number): void {
  const exports = createPlaces(exportsMax);
  ctx.http.get(
    '/tracking/drivers/{driverId}/history',
    {
      summary: 'Where a driver was, oldest first; the last day unless asked otherwise',
      roles: ['ops', 'driver'],
      params: DriverParams,
      query: HistoryQuery,
      response: { 200: HistoryPage },
      streams: Object.values(contentTypes),
    },
    (request) => answer(ctx, request, { exports, nowMs: now() }),
  );
}

async function answer(
  ctx: PluginContext,
  request: Request,
  { exports, nowMs }: { readonly exports: Places; readonly nowMs: number },
): Promise<HttpReply> {
  const { principal, query, params } = request;
  const { driverId } = params;
  if (principal.role === 'driver' && principal.id !== driverId) {
    return refuse('HISTORY_FORBIDDEN', 'Cannot show a history: a driver may read its own alone');
  }
  const range = toRange(query, nowMs);
  if (typeof range === 'string') return refuse('HISTORY_RANGE_INVALID', range);
  const afterCursor = query.cursor === undefined ? undefined : fromCursor(query.cursor);
  if (query.cursor !== undefined && afterCursor === undefined)
    return refuse('HISTORY_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
  const format = query.format ?? 'json';
  const limit = query.limit ?? (format === 'json' ? 100 : limitMax);
  const asked = { driverId, fromMs: Date.parse(range.from), toMs: Date.parse(range.to), afterCursor, limit };
  if (format === 'json' && query.simplify === undefined && limit <= pageMax) return page(ctx, asked);
  const release = exports.take(request.signal);
  if (release === undefined)
    return refuse('HISTORY_BUSY', `Cannot export a history: ${exportsMax} are being read; try again later`);
  try {
    return await exported(ctx, request, { asked, range, format, release });
  } catch (error) {
    release();
    throw error;
  }
}

async function page(ctx: PluginContext, asked: TrackRange): Promise<HttpReply> {
  const rows = await readTrack(ctx.db, { ...asked, limit: asked.limit + 1 });
  const last = rows.slice(0, asked.limit).at(-1);
  const fixes = rows.slice(0, asked.limit).map(({ key: _key, flags, ...fix }) => ({ ...fix, flags: toFlags(flags) }));
  const hasMore = rows.length > asked.limit && last !== undefined;
  return { status: 200, body: { fixes, nextCursor: hasMore ? toCursor(last.key) : null } };
}

interface Export {
  readonly asked: TrackRange;
  readonly range: Range;
  readonly format: Format;
  readonly release: () => void;
}

/** All is read before the answer begins: what fails then is an error with a status, and not half an answer. */
async function exported(
  ctx: PluginContext,
  { params: { driverId }, query }: Request,
  { asked, range, format, release }: Export,
): Promise<HttpReply> {
  const { trace, hasMore } = await readTrace(ctx.db, asked);
  const nextCursor = hasMore ? toCursor(keyAt(trace, trace.length - 1)) : null;
  const pieces = await exportTrace({ driverId, trace, format, simplifyM: query.simplify, nextCursor });
  const next = new URLSearchParams({ ...texts(query), from: range.from, to: range.to, cursor: nextCursor ?? '' });
  const fileName = `${driverId}-${range.from.replace(/[:.]/g, '')}.${format}`;
  return {
    status: 200,
    contentType: contentTypes[format],
    headers: {
      'content-disposition': `${format === 'json' ? 'inline' : 'attachment'}; filename="${fileName}"`,
      ...(nextCursor === null
        ? {}
        : { link: `</tracking/drivers/${driverId}/history?${next.toString()}>; rel="next"` }),
    },
    stream: releasing(pieces, release),
  };
}

function texts(query: HistoryQuery): Record<string, string> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));
}

function* releasing(pieces: Iterable<string>, release: () => void): Generator<string> {
  try {
    yield* pieces;
  } finally {
    release();
  }
}

interface Places {
  take(signal: AbortSignal): (() => void) | undefined;
}

/** So many at a time; `release` may be called twice. A stream that never begins has no `finally`, but its signal. */
function createPlaces(max: number): Places {
  const taken = new Set<object>();
  return {
    take(signal) {
      if (taken.size >= max || signal.aborted) return undefined;
      const place = {};
      taken.add(place);
      const release = (): void => void taken.delete(place);
      signal.addEventListener('abort', release, { once: true });
      return release;
    },
  };
}
