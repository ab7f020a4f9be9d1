import type { Database, Line, Log, Metrics, Principal, Transaction } from '#plugin-api';
import { bookOrder, type BookingDeps, type BookingOutcome } from '../booking-flow.ts';
import { refuse } from '../errors.ts';
import type { Settings } from '../settings.ts';
import type { BulkOrder, Verdict } from './verdict.ts';

export interface BulkDeps {
  readonly db: Database;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly settings: Settings;
  readonly now: () => number;
}

export interface BulkCaller {
  /** Whose orders they are. */
  readonly principal: Principal;
  readonly traceId: string;
}

type BulkLine = Line<BulkOrder>;
interface Booking {
  readonly line: number;
  readonly booking: BulkOrder;
}

/**
 * Books the orders of these lines and tells of each what became of it. They share a transaction, which costs a fraction of
 * one for each; when it fails, for whatever reason, each line gets its own, so that none costs another.
 *
 * @throws what concerns no line: the database cannot be reached, say
 */
export async function bookBatch(
  deps: BulkDeps,
  caller: BulkCaller,
  lines: readonly BulkLine[],
): Promise<readonly Verdict[]> {
  const bookings = lines.flatMap((line) => ('value' in line ? [{ line: line.line, booking: line.value }] : []));
  const together = await bookTogether(deps, caller, bookings);
  const booked = together ?? (await bookApart(deps, caller, bookings));
  if (bookings.length > 0)
    deps.metrics.increment('returnit_orders_bulk_batches_total', {
      outcome: together === undefined ? 'apart' : 'together',
    });
  const verdicts = new Map(booked.map((verdict) => [verdict.line, verdict]));
  return lines.map((line) => {
    const verdict = 'problem' in line ? toRejection(line.line, line.problem) : verdicts.get(line.line);
    if (verdict === undefined) throw new TypeError(`Line ${line.line} was not booked and not refused`);
    deps.metrics.increment('returnit_orders_bulk_lines_total', { status: verdict.status });
    return verdict;
  });
}

/** Undefined when the transaction failed: nothing is booked then. */
async function bookTogether(
  deps: BulkDeps,
  caller: BulkCaller,
  bookings: readonly Booking[],
): Promise<readonly Verdict[] | undefined> {
  const recorded: Parameters<Metrics['increment']>[] = [];
  const metrics: Metrics = { ...deps.metrics, increment: (...record) => void recorded.push(record) };
  const verdicts: Verdict[] = [];
  try {
    await deps.db.transaction(async (tx) => {
      const shared = shareTransaction(tx);
      for (const booking of bookings) {
        const outcome = await book({ ...deps, metrics, db: shared.db }, caller, booking);
        // What it has done cannot be undone alone.
        if (shared.hasFailed()) throw new Error(`Cannot book line ${booking.line} together with others`);
        verdicts.push(toVerdict(booking, outcome));
      }
    });
  } catch (error) {
    deps.log.debug('batch of a bulk booking is booked line by line', { reason: String(error) });
    return undefined;
  }
  for (const record of recorded) deps.metrics.increment(...record);
  return verdicts;
}

async function bookApart(
  deps: BulkDeps,
  caller: BulkCaller,
  bookings: readonly Booking[],
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const booking of bookings) {
    try {
      verdicts.push(toVerdict(booking, await book(deps, caller, booking)));
    } catch (error) {
      // Postgres refused something of this line; anything else would befall the next one too.
      if ((error as { readonly code?: unknown }).code !== 'DATABASE_ERROR') throw error;
      deps.log.error('line of a bulk booking failed', { line: booking.line, error: String(error) });
      const { problem } = refuse('ORDER_LINE_FAILED', 'Cannot book the order: send the line again');
      verdicts.push(toRejection(booking.line, problem, booking.booking.reference));
    }
  }
  return verdicts;
}

function book(
  deps: BookingDeps & Pick<BulkDeps, 'now'>,
  { principal, traceId }: BulkCaller,
  { booking }: Booking,
): Promise<BookingOutcome> {
  return bookOrder(deps, { principal, booking, traceId }, deps.now());
}

/** A transaction as a database whose transactions are all parts of it. */
function shareTransaction(tx: Transaction): { readonly db: Database; readonly hasFailed: () => boolean } {
  let failed = false;
  const db: Database = {
    query: (statement, values) => tx.query(statement, values),
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

function toVerdict({ line, booking: { reference } }: Booking, outcome: BookingOutcome): Verdict {
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
