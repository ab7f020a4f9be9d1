import { Type } from 'typebox';
import type { HttpReply, Lines, Principal } from '#plugin-api';
import { refuse } from '../errors.ts';
import type { RouteDeps } from '../routes/parts.ts';
import { closed, principalId } from '../text-schemas.ts';
import { bookBatch, toRejection, type BulkCaller, type BulkDeps } from './bulk-flow.ts';
import { inBatches } from './in-batches.ts';
import { createPlaces } from './places.ts';
import { BulkOrder, Verdict } from './verdict.ts';

const contentType = 'application/x-ndjson';
const BulkQuery = Type.Object({ partnerId: Type.Optional(principalId('Of ops only: for which partner')) }, closed);
/** How long lines wait for others to share a transaction. */
const batchWaitMs = 20;
/** When it may be tried again while all places are taken: ten thousand orders take about a minute. */
const busySeconds = 10;
/** What the core says of a body that it cannot read to its end. */
const bodyProblems: Readonly<Record<string, { readonly status: number; readonly title: string }>> = {
  BODY_TOO_LARGE: { status: 413, title: 'Body too large' },
  REQUEST_TIMEOUT: { status: 408, title: 'Request took too long to arrive' },
};

/** Of up to 10,000 orders each: whoever sends one order at a time is not to do it here. */
const bulksPerMinute = 60;

export function registerBulkRoutes({ ctx, settings, now }: RouteDeps): void {
  const places = createPlaces(settings.bulksMax);
  const deps: BulkDeps = { db: ctx.db, metrics: ctx.metrics, log: ctx.log, settings, now };
  ctx.http.post(
    '/orders/bulk',
    {
      summary: 'Books many orders of a partner, a line each; every line gets its own answer, and all can be sent again',
      roles: ['partner', 'ops'],
      query: BulkQuery,
      bodyAs: 'lines',
      body: BulkOrder,
      response: { 200: Verdict },
      streams: [contentType],
      requestsPerMinute: bulksPerMinute,
      budget: 'orders',
    },
    ({ principal, query, body, id, signal }): HttpReply => {
      const partner = toPartner(principal, query.partnerId);
      if (partner === undefined) {
        const detail = `'partnerId' must say for which partner ops books, and be left out by a partner`;
        return refuse('ORDER_PARTNER_INVALID', detail);
      }
      const release = places.take(signal);
      if (release === undefined) {
        ctx.metrics.increment('returnit_orders_bulk_requests_total', { outcome: 'busy' });
        const detail = `Cannot book: ${settings.bulksMax} bulk bookings are running; try again later`;
        return { ...refuse('ORDER_BULK_BUSY', detail), headers: { 'retry-after': String(busySeconds) } };
      }
      if (principal.role === 'ops') ctx.log.info('ops books for a partner', { ops: principal.id, partner: partner.id });
      const caller = { principal: partner, traceId: id, traceparent: ctx.traceparent() };
      return { status: 200, contentType, stream: answer(deps, caller, { body, release }) };
    },
  );
}

function toPartner(principal: Principal, partnerId: string | undefined): Principal | undefined {
  if (principal.role !== 'ops') return partnerId === undefined ? principal : undefined;
  return partnerId === undefined ? undefined : { id: partnerId, role: 'partner' };
}

interface Bulk {
  readonly body: Lines<BulkOrder>;
  readonly release: () => void;
}

/** An answer to a line is given when its order is committed. */
async function* answer(deps: BulkDeps, caller: BulkCaller, { body, release }: Bulk): AsyncGenerator<string> {
  let line = 0;
  let outcome = 'broken_off';
  try {
    for await (const lines of inBatches(body, { max: deps.settings.bulkBatchMax, waitMs: batchWaitMs })) {
      for (let told = 0; told < lines.length;) {
        const verdicts = await bookBatch(deps, caller, lines.slice(told));
        told += verdicts.length;
        line = verdicts.at(-1)?.line ?? line;
        yield verdicts.map(toText).join('');
      }
    }
    outcome = 'complete';
  } catch (error) {
    const problem = toBodyProblem(error);
    if (problem === undefined) throw error;
    yield toText(toRejection(line + 1, problem));
  } finally {
    release();
    deps.metrics.increment('returnit_orders_bulk_requests_total', { outcome });
  }
}

const toText = (verdict: Verdict): string => `${JSON.stringify(verdict)}\n`;

function toBodyProblem(error: unknown): Verdict['problem'] {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const known = typeof code === 'string' ? bodyProblems[code] : undefined;
  return known === undefined ? undefined : { ...known, code: String(code), detail: String(message) };
}
