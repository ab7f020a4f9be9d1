import type { Line, Log, Metrics, Principal, Transaction } from '#plugin-api';
import { bookOrder, type BookingDatabase, type BookingOutcome } from '../booking-flow.ts';
import { refuse } from '../errors.ts';
import type { Settings } from '../settings.ts';
import type { BulkOrder, Verdict } from './verdict.ts';

export interface BulkDeps {
  readonly db: BookingDatabase;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly settings: Settings;
  readonly now: () => number;
}

export interface BulkCaller {
  /** Whose orders they are. */
  readonly principal: Principal;
  readonly traceId: string;
  readonly traceparent: string | undefined;
}

type BulkLine = Line<BulkOrder>;

/**
 * No order is begun in a batch later than this after its begin: meanwhile others wait for places in the same windows, and
 * the client for an answer, however slow the database is.
 */
const batchMs = 1000;

/**
 * Books the orders of these lines, or of the first of them when it takes long, and tells of each what became of it. They
 * share a transaction, which costs a fraction of one for each; when it fails, for whatever reason, each line gets its own,
 * so that none costs another.
 *
 * @returns at least one
 * @throws what concerns no line: the database cannot be reached, say
 */
export async function bookBatch(
  deps: BulkDeps,
  caller: BulkCaller,
  lines: readonly BulkLine[],
): Promise<readonly Verdict[]> {
  const together = await bookTogether(deps, caller, lines);
  const verdicts = together ?? (await bookApart(deps, caller, lines));
  const outcome = together === undefined ? 'apart' : 'together';
  deps.metrics.increment('returnit_orders_bulk_batches_total', { outcome });
  for (const { status } of verdicts) deps.metrics.increment('returnit_orders_bulk_lines_total', { status });
  return verdicts;
}

/** Undefined when the transaction failed: nothing is booked then. */
async function bookTogether(
  deps: BulkDeps,
  caller: BulkCaller,
  lines: readonly BulkLine[],
): Promise<readonly Verdict[] | undefined> {
  const recorded: Parameters<Metrics['increment']>[] = [];
  const metrics: Metrics = { ...deps.metrics, increment: (...record) => void recorded.push(record) };
  try {
    const verdicts = await deps.db.transaction((tx) => {
      const shared = shareTransaction(tx);
      return bookWhileTime({ ...deps, metrics, db: shared.db }, lines, async (each, line) => {
        const verdict = await book(each, caller, line);
        // What it has done cannot be undone alone.
        if (shared.hasFailed()) throw new Error(`Cannot book line ${line.line} together with others`);
        return verdict;
      });
    });
    for (const record of recorded) deps.metrics.increment(...record);
    return verdicts;
  } catch (error) {
    deps.log.debug('batch of a bulk booking is booked line by line', { reason: String(error) });
    return undefined;
  }
}

function bookApart(deps: BulkDeps, caller: BulkCaller, lines: readonly BulkLine[]): Promise<readonly Verdict[]> {
  return bookWhileTime(deps, lines, async (each, line) => {
    try {
      return await book(each, caller, line);
    } catch (error) {
      // Postgres refused something of this line; anything else would befall the next one too.
      if ((error as { readonly code?: unknown }).code !== 'DATABASE_ERROR') throw error;
      deps.log.error('line of a bulk booking failed', { line: line.line, error: String(error) });
      const { problem } = refuse('ORDER_LINE_FAILED', 'Cannot book the order: send the line again');
      return toRejection(line.line, problem, 'value' in line ? line.value.reference : undefined);
    }
  });
}

async function bookWhileTime(
  deps: BulkDeps,
  lines: readonly BulkLine[],
  take: (deps: BulkDeps, line: BulkLine) => Promise<Verdict>,
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  const untilMs = deps.now() + batchMs;
  for (const line of lines) {
    if (verdicts.length > 0 && deps.now() > untilMs) break;
    verdicts.push(await take(deps, line));
  }
  return verdicts;
}

async function book(deps: BulkDeps, { principal, traceId, traceparent }: BulkCaller, line: BulkLine): Promise<Verdict> {
  if ('problem' in line) return toRejection(line.line, line.problem);
  const { value: booking } = line;
  const outcome = await bookOrder(deps, { principal, booking, traceId, traceparent }, deps.now());
  return toVerdict(line.line, booking, outcome);
}

/** A transaction as a database whose transactions are all parts of it. */
function shareTransaction(tx: Transaction): { readonly db: BookingDatabase; readonly hasFailed: () => boolean } {
  let failed = false;
  const db: BookingDatabase = {
    query: (statement, values) => tx.query(statement, values),
    // What is read in a transaction is read anew.
    cached: (statement, values) => tx.query(statement, values),
    async transaction(work) {
      try {
        return await work(tx);
      } catch (error) {
        failed = true;
        throw error;
      }
    },
  };
  return { db, hasFailed: () => failed };
}

function toVerdict(line: number, { reference }: BulkOrder, outcome: BookingOutcome): Verdict {
  if (outcome.kind === 'refused') {
    const { problem } = refuse(outcome.code, outcome.detail, outcome.extensions);
    return toRejection(line, problem, reference);
  }
  const status = outcome.kind === 'booked' ? 'created' : 'repeated';
  return { line, status, reference, orderId: outcome.stored.order.orderId };
}

export function toRejection(line: number, problem: NonNullable<Verdict['problem']>, reference?: string): Verdict {
  return { line, status: 'rejected', ...(reference === undefined ? {} : { reference }), problem };
}
