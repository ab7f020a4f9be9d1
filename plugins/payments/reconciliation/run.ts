/** One step of a reconciliation for each job: a run may take longer than a job, and goes on where it was after a crash. */
import type { Transaction } from '#plugin-api';
import { countSettled, type AskDeps } from '../ask.ts';
import { baseOf, type Draft } from '../draft.ts';
import { observe } from '../observation.ts';
import { changePayment, sendOperation } from '../progress.ts';
import type { PaymentProvider, ProviderPayment } from '../providers/provider.ts';
import { listStaleOperations } from '../store/operations.ts';
import {
  advanceRun,
  findCompared,
  insertRun,
  isBusy,
  keepDifference,
  listUnseen,
  markSeen,
  resolveDifferences,
  type Advance,
  type PaymentToCompare,
  type Run,
} from '../store/reconciliations.ts';
import { compare, type Difference } from './compare.ts';

export const reconcileQueue = 'payments.reconcile';
/** Each is a question to the provider, or three: a job has time for so many. */
const unseenMax = 20;

export interface RunDeps extends AskDeps {
  readonly settleMs: number;
  readonly spanMs: number;
  readonly now: () => number;
}

/** One for each provider. */
export async function startRuns(deps: RunDeps): Promise<void> {
  const nowMs = deps.now();
  for (const provider of deps.providers.names) {
    await deps.db.transaction(async (tx) => {
      const span = { from: new Date(nowMs - deps.spanMs), to: new Date(nowMs - deps.settleMs) };
      const runId = await insertRun(tx, { provider, ...span });
      await tx.jobs.send(reconcileQueue, { runId });
    });
  }
}

export async function takeRunStep(deps: RunDeps, run: Run, signal: AbortSignal): Promise<'done' | 'continued'> {
  const provider = deps.providers.of(run.provider);
  const step: Step = { deps, run, provider, signal };
  const next = run.state === 'listing' ? await compareListed(step) : await searchMissing(step);
  await deps.db.transaction(async (tx) => {
    if (!(await advanceRun(tx, run, next))) return;
    if (next.state !== 'done') await tx.jobs.send(reconcileQueue, { runId: run.runId });
    else await sendStale(tx);
  });
  return next.state === 'done' ? 'done' : 'continued';
}

interface Step {
  readonly deps: RunDeps;
  readonly run: Run;
  readonly provider: PaymentProvider;
  readonly signal: AbortSignal;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function compareListed(step: Step): Promise<Advance> {
  const { deps, run, provider, signal } = step;
  const span = { from: new Date(run.from), to: new Date(run.to), cursor: run.cursor, signal };
  const { payments, nextCursor } = await provider.list(span);
  const known = await findCompared(deps.db, {
    provider: run.provider,
    operationIds: payments.flatMap(({ operationId }) =>
      operationId !== null && uuid.test(operationId) ? [operationId] : [],
    ),
    references: payments.map(({ reference }) => reference),
  });
  const same: string[] = [];
  const pairs = payments.map((there) => ({ there, here: find(known, there) }));
  for (const { there, here } of pairs) {
    // A try that was given up for another one is told of by the payment that took its place.
    if (here !== undefined && here.reference !== null && here.reference !== there.reference) continue;
    if (compare(here, there) === undefined) same.push(there.reference);
    else await look(step, { reference: there.reference, here });
  }
  await resolveDifferences(deps.db, run.provider, same);
  await markSeen(
    deps.db,
    run.runId,
    pairs.flatMap(({ here }) => (here === undefined ? [] : [here.paymentId])),
  );
  const compared = payments.length;
  return nextCursor === null
    ? { state: 'searching', cursor: null, compared }
    : { state: 'listing', cursor: nextCursor, compared };
}

function find(known: readonly PaymentToCompare[], there: ProviderPayment): PaymentToCompare | undefined {
  return (
    known.find(({ reference }) => reference === there.reference) ??
    known.find(({ operationId }) => operationId === there.operationId)
  );
}

async function searchMissing(step: Step): Promise<Advance> {
  const unseen = await listUnseen(step.deps.db, step.run, unseenMax);
  for (const here of unseen) await look(step, { reference: here.reference ?? '', here });
  const last = unseen.at(-1);
  const isLast = unseen.length < unseenMax || last === undefined;
  return { state: isLast ? 'done' : 'searching', cursor: isLast ? null : last.paymentId, compared: unseen.length };
}

interface Suspect {
  readonly reference: string;
  readonly here: PaymentToCompare | undefined;
}

/** The list may be old by now, so the provider is asked about this one; what it says is put down, and then taken over. */
async function look({ deps, run, provider, signal }: Step, { reference, here }: Suspect): Promise<void> {
  const there = await provider.inspect(reference, signal);
  if (here === undefined) {
    const difference = compare(undefined, there);
    if (difference !== undefined) await keepForeign(deps, { run, reference, difference });
    return;
  }
  const { paymentId } = here;
  if (await isBusy(deps.db, paymentId, new Date(deps.now() - deps.settleMs))) return;
  let found: Difference | undefined;
  const draft = await deps.db.transaction(async (tx) => {
    const changed = await changePayment(tx, { key: { paymentId }, policy: deps.policy }, (draft) => {
      found = compare(draft.facts, there);
      if (found !== undefined && there !== undefined) observe(draft, there);
    });
    if (changed !== undefined) await put(tx, { run, reference, there, draft: changed, found });
    return changed;
  });
  if (draft !== undefined) countSettled(deps.metrics, draft);
}

interface Finding {
  readonly run: Run;
  readonly reference: string;
  readonly there: ProviderPayment | undefined;
  readonly draft: Draft;
  readonly found: Difference | undefined;
}

async function put(tx: Transaction, { run, reference, there, draft, found }: Finding): Promise<void> {
  const { paymentId, orderId } = draft.facts;
  if (found !== undefined) {
    const isNew = await keepDifference(tx, { run, reference, paymentId, orderId, difference: found });
    const difference = { provider: run.provider, reference, ...found };
    if (isNew) await tx.events.publish('payment.unreconciled', { ...baseOf(draft), difference });
  }
  if (compare(draft.facts, there) === undefined) await resolveDifferences(tx, run.provider, [reference]);
}

interface ForeignFinding {
  readonly run: Run;
  readonly reference: string;
  readonly difference: Difference;
}

async function keepForeign({ db }: RunDeps, { run, reference, difference }: ForeignFinding): Promise<void> {
  await db.transaction(async (tx) => {
    const isNew = await keepDifference(tx, { run, reference, paymentId: null, orderId: null, difference });
    if (!isNew) return;
    await tx.events.publish('payment.unreconciled', {
      orderId: null,
      difference: { provider: run.provider, reference, ...difference },
    });
  });
}

/** What has no answer after a day is asked about anew, in case its job has ended. */
async function sendStale(tx: Transaction): Promise<void> {
  for (const operation of await listStaleOperations(tx))
    await sendOperation(tx, operation, `again:${operation.operationId}`);
}
