/**
 * Does an operation: asks the provider between two transactions. The first says that it is being asked, so that whoever
 * comes after a crash knows that there may be an answer; the second takes the answer over. Where the answer is not known
 * (no answer in time, an error of the provider, a lost connection, a process that died) the provider is asked what
 * became of the operation; nothing is concluded from silence, and the key never changes.
 */
import type { Database, Job, Metrics } from '#plugin-api';
import type { Draft } from './draft.ts';
import { decline, observe, outcomeOf } from './observation.ts';
import type { Operation } from './operation.ts';
import { changePayment } from './progress.ts';
import { ProviderUnavailable, type Answer, type PaymentProvider, type ProviderPayment } from './providers/provider.ts';
import type { ProviderName } from './settings.ts';
import { markAsked, type AskedOperation } from './store/operations.ts';
import { refuse, type Policy } from './wishes.ts';

export interface Providers {
  readonly names: readonly ProviderName[];
  /** @throws {Error} when it is not set up */
  of(name: ProviderName): PaymentProvider;
}

export interface AskDeps {
  readonly db: Database;
  readonly metrics: Pick<Metrics, 'increment'>;
  readonly providers: Providers;
  readonly policy: Policy;
  readonly timeoutMs: number;
}

/** A clock of ours and one of the provider's are never the same. */
const clockSlackMs = 300_000;

/** @throws when the outcome is still not known: to be tried again */
export async function doOperation(
  deps: AskDeps,
  { operationId, kind }: Pick<Operation, 'operationId' | 'kind'>,
  { signal }: Pick<Job<unknown>, 'signal'>,
): Promise<void> {
  const operation = await markAsked(deps.db, operationId);
  if (operation === undefined) {
    deps.metrics.increment('returnit_payments_total', { operation: kind, outcome: 'repeated' });
    return;
  }
  const provider = deps.providers.of(operation.provider);
  const asking: Asking = { deps, operation, provider, signal };
  // An earlier question has no answer here. It may have one there.
  const known = operation.asks > 1 ? await lookUp(asking) : undefined;
  const answer = known ?? (await askOrLookUp(asking));
  await takeOver(deps, asking, answer);
}

interface Asking {
  readonly deps: AskDeps;
  readonly operation: AskedOperation;
  readonly provider: PaymentProvider;
  readonly signal: AbortSignal;
}

function deadline({ signal, deps }: Asking): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(deps.timeoutMs)]);
}

async function askOrLookUp(asking: Asking): Promise<Answer> {
  try {
    return await ask(asking);
  } catch (error) {
    if (error instanceof ProviderUnavailable) throw error;
    const known = await lookUp(asking);
    if (known === undefined) throw error;
    return known;
  }
}

function ask(asking: Asking): Promise<Answer> {
  const { operation, provider } = asking;
  const { kind, idempotencyKey, operationId, orderId, amountMinor, currency, method } = operation;
  const request = { idempotencyKey, operationId, orderId, amountMinor, currency, signal: deadline(asking) };
  if (kind === 'authorise') return provider.authorise({ ...request, method });
  return provider[kind]({ ...request, reference: referenceOf(operation) });
}

function referenceOf({ kind, operationId, reference }: AskedOperation): string {
  if (reference !== null) return reference;
  throw new Error(`Cannot ${kind} by operation ${operationId}: its payment has no reference`);
}

/** What the provider says of the operation; undefined when it has not happened, or not yet. */
async function lookUp(asking: Asking): Promise<Answer | undefined> {
  const { deps, operation } = asking;
  const payment = await inspect(asking);
  const isFound = payment !== undefined && isAnswered(operation, payment);
  const labels = { operation: operation.kind, resolution: isFound ? 'found' : 'absent' };
  deps.metrics.increment('returnit_payments_ambiguous_total', labels);
  return isFound ? { kind: 'done', payment } : undefined;
}

async function inspect(asking: Asking): Promise<ProviderPayment | undefined> {
  const { operation, provider } = asking;
  const signal = deadline(asking);
  if (operation.kind !== 'authorise') return provider.inspect(referenceOf(operation), signal);
  const since = new Date(Date.parse(operation.askedAt ?? '') - clockSlackMs);
  return provider.find(operation.operationId, { since, signal });
}

function isAnswered(operation: AskedOperation, payment: ProviderPayment): boolean {
  if (operation.kind === 'refund')
    return payment.refunds.some(({ operationId }) => operationId === operation.operationId);
  return outcomeOf(operation, payment.state) !== undefined;
}

async function takeOver(deps: AskDeps, asking: Asking, answer: Answer): Promise<void> {
  const { operation } = asking;
  // Why it was refused stands in what is true of the payment: another may have been faster.
  const seen =
    answer.kind === 'done' ? answer.payment : operation.kind === 'authorise' ? undefined : await inspect(asking);
  const draft = await deps.db.transaction((tx) =>
    changePayment(tx, { key: { paymentId: operation.paymentId }, policy: deps.policy }, (change) => {
      if (seen !== undefined) observe(change, seen);
      if (answer.kind === 'refused') takeRefusal(change, operation, answer.reason);
    }),
  );
  if (draft !== undefined) countSettled(deps.metrics, draft);
}

function takeRefusal(draft: Draft, operation: AskedOperation, reason: string): void {
  const { kind, operationId } = operation;
  const current = draft.operations.find((known) => known.operationId === operationId);
  if (current?.status !== 'pending') return;
  // What is reserved must be given back: that is no end.
  if (kind === 'void') throw new Error(`Cannot void by operation ${operationId}: the provider refuses (${reason})`);
  refuse(draft, operationId, reason);
  if (kind === 'authorise') decline(draft, reason);
}

const words = { authorise: 'authorised', capture: 'captured', void: 'voided', refund: 'refunded' } as const;

/** Each operation once, whoever learned of its end first. */
export function countSettled(metrics: Pick<Metrics, 'increment'>, { settled }: Draft): void {
  for (const { kind, status } of settled.values()) {
    const outcome = status === 'succeeded' ? words[kind] : kind === 'authorise' ? 'declined' : 'failed';
    metrics.increment('returnit_payments_total', { operation: kind, outcome });
  }
}
