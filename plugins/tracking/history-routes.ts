import type { HttpReply, HttpRequest, PluginContext } from '#plugin-api';
import { refuse } from './errors.ts';
import { fromCursor, toCursor, toRange, type Range } from './history.ts';
import { DriverParams, toHistoryPage, toHistoryQuery, type HistoryQuery } from './history-schema.ts';
import { contentTypes, exportTrace, type Format } from './history/export.ts';
import { toFlags } from './history/json.ts';
import type { TrackRange } from './store/track-days.ts';
import { readTrack } from './store/track.ts';
import { readTrace } from './store/trace.ts';
import type { Settings } from './settings.ts';
import { keyAt } from './trace.ts';

/** Up to here an answer of JSON is one frame, checked as a whole. */
const pageMax = 1000;
/** When it may be asked again while all places are taken: an export is read in about a second. */
const busySeconds = 2;

type Request = HttpRequest<{ readonly driverId: string }, HistoryQuery>;

type Limits = Pick<Settings, 'historyFixesMax' | 'historyRangeMs' | 'historyExportsMax'>;

export function registerHistory(ctx: PluginContext, limits: Limits, now: () => number): void {
  const exports = createPlaces(limits.historyExportsMax);
  ctx.http.get(
    '/tracking/drivers/{driverId}/history',
    {
      summary: 'Where a driver was, oldest first; the last day unless asked otherwise',
      roles: ['ops', 'driver'],
      params: DriverParams,
      query: toHistoryQuery(limits.historyFixesMax),
      response: { 200: toHistoryPage(limits.historyFixesMax) },
      streams: Object.values(contentTypes),
    },
    (request) => answer(ctx, request, { exports, limits, nowMs: now() }),
  );
}

async function answer(
  ctx: PluginContext,
  request: Request,
  { exports, limits, nowMs }: { readonly exports: Places; readonly limits: Limits; readonly nowMs: number },
): Promise<HttpReply> {
  const { principal, query, params } = request;
  const { driverId } = params;
  if (principal.role === 'driver' && principal.id !== driverId) {
    return refuse('HISTORY_FORBIDDEN', 'Cannot show a history: a driver may read its own alone');
  }
  const range = toRange(query, { nowMs, rangeMaxMs: limits.historyRangeMs });
  if (typeof range === 'string') return refuse('HISTORY_RANGE_INVALID', range);
  const afterCursor = query.cursor === undefined ? undefined : fromCursor(query.cursor);
  if (query.cursor !== undefined && afterCursor === undefined)
    return refuse('HISTORY_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
  const format = query.format ?? 'json';
  const limit = query.limit ?? (format === 'json' ? 100 : limits.historyFixesMax);
  const asked = { driverId, fromMs: Date.parse(range.from), toMs: Date.parse(range.to), afterCursor, limit };
  if (format === 'json' && query.simplify === undefined && limit <= pageMax) return page(ctx, asked);
  const release = exports.take(request.signal);
  if (release === undefined) {
    const detail = `Cannot export a history: ${limits.historyExportsMax} are being read; try again later`;
    return refuse('HISTORY_BUSY', detail, { retryAfterSeconds: busySeconds });
  }
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
