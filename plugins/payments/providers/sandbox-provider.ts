import { createHash } from 'node:crypto';
import type { Database, Transaction } from '#plugin-api';
import type { OperationKind } from '../operation.ts';
import { delay } from './delay.ts';
import {
  OutcomeUnknown,
  ProviderUnavailable,
  type Answer,
  type AuthoriseRequest,
  type MoveRequest,
  type PaymentProvider,
  type ProviderPayment,
} from './provider.ts';
import { emitSandboxEvent, waitUntilTold } from './sandbox-events.ts';
import {
  authoriseOnce,
  captureSandbox,
  disputeSandbox,
  findAnswer,
  findSandbox,
  insertAnswer,
  listSandbox,
  lockSandbox,
  methodOfSandbox,
  readSandbox,
  refundSandbox,
  voidSandbox,
} from './sandbox-store.ts';
import { mannerOf, type Manner } from './sandbox-tokens.ts';

/** More than this is declined, so that a decline can be had without a special token. */
export const sandboxLimitMinor = 500_000;
const pageMax = 100;

export interface SandboxOptions {
  readonly db: Database;
  /** How long a slow answer takes, and how long an answer waits for the webhook before it. */
  readonly slowMs: number;
  /** Whether it tells of every payment; else of those whose token asks for it. */
  readonly hasWebhooks: boolean;
}

/** A provider without money, with a memory of its own: it can be asked what became of a question. */
export function createSandboxProvider(options: SandboxOptions): PaymentProvider {
  const { db } = options;
  const move = createMoves(options);
  return {
    name: 'sandbox',
    authorise: createAuthorise(options),
    capture: (request) => move('capture', request),
    void: (request) => move('void', request),
    refund: (request) => move('refund', request),
    find: (operationId) => findSandbox(db, operationId),
    inspect: (reference) => readSandbox(db, reference),
    async list({ from, to, cursor }) {
      const payments = await listSandbox(db, { from, to, after: cursor ?? '', limit: pageMax });
      return { payments, nextCursor: payments.length < pageMax ? null : (payments.at(-1)?.reference ?? null) };
    },
  };
}

function createAuthorise(options: SandboxOptions): PaymentProvider['authorise'] {
  const { db, slowMs } = options;
  return async function authorise(request) {
    const manner = mannerOf(request.method);
    const fault = manner.faults.authorise;
    if (fault === 'unavailable') throw new ProviderUnavailable('Cannot reach the sandbox provider: asked to fail');
    if (fault === 'slow') await delay(slowMs, request.signal);
    const decision = decide(request, manner);
    const fingerprint = fingerprintOf([request.amountMinor, request.currency, request.method]);
    const reference = referenceOf('pay', request.idempotencyKey);
    const answer = { fingerprint, answer: fault === 'error' ? 'error' : 'ok', reference, ...decision };
    const told = isTold(options, manner);
    let eventId: string | undefined;
    const isFirst = told
      ? await db.transaction(async (tx) => {
          if (!(await authoriseOnce(tx, request, answer))) return false;
          const type = decision.state === 'authorised' ? 'amount_capturable_updated' : 'payment_failed';
          eventId = await emitSandboxEvent(tx, { type: `payment_intent.${type}`, reference, object: reference });
          return true;
        })
      : await authoriseOnce(db, request, answer);
    if (!isFirst) return replay(options, { request, fingerprint, reference });
    if (manner.webhooks === 'before' && eventId !== undefined) await waitUntilTold(db, eventId, slowMs);
    return answerWith(db, reference, fault);
  };
}

function decide(
  { amountMinor }: AuthoriseRequest,
  { decline }: Manner,
): { readonly state: 'authorised' | 'declined'; readonly reason: string | null } {
  const reason = decline ?? (amountMinor > sandboxLimitMinor ? 'amount_over_limit' : null);
  return { state: reason === null ? 'authorised' : 'declined', reason };
}

type Moved = 'first' | 'again' | 'refused';

function createMoves(options: SandboxOptions) {
  const { db, slowMs } = options;

  return async function move(kind: Exclude<OperationKind, 'authorise'>, request: MoveRequest): Promise<Answer> {
    const { reference, idempotencyKey, amountMinor, signal } = request;
    const manner = mannerOf((await methodOfSandbox(db, reference)) ?? '');
    const fault = manner.faults[kind];
    if (fault === 'unavailable') throw new ProviderUnavailable('Cannot reach the sandbox provider: asked to fail');
    if (fault === 'fails') return { kind: 'refused', reason: `${kind}_refused` };
    if (fault === 'slow') await delay(slowMs, signal);
    const fingerprint = fingerprintOf([kind, reference, amountMinor]);
    const moved = await db
      .transaction(async (tx): Promise<Moved> => {
        if (!(await lockSandbox(tx, reference))) return 'refused';
        const answer = { fingerprint, answer: fault === 'error' ? 'error' : 'ok' };
        if (!(await insertAnswer(tx, idempotencyKey, answer))) return 'again';
        if (!(await apply(tx, kind, request))) throw new Refusal();
        if (isTold(options, manner)) await tell(tx, { kind, request, manner });
        return 'first';
      })
      .catch(asRefused);
    if (moved === 'again') return replay(options, { request, fingerprint, reference });
    if (moved === 'refused') return { kind: 'refused', reason: 'unexpected_state' };
    return answerWith(db, reference, fault);
  };
}

/** Takes the key back: what is refused for its state may be asked for again. */
class Refusal extends Error {}

function asRefused(error: unknown): 'refused' {
  if (error instanceof Refusal) return 'refused';
  throw error;
}

function apply(tx: Transaction, kind: OperationKind, request: MoveRequest): Promise<boolean> {
  const { reference, amountMinor, operationId, idempotencyKey } = request;
  if (kind === 'capture') return captureSandbox(tx, reference, amountMinor);
  if (kind === 'void') return voidSandbox(tx, reference);
  return refundSandbox(tx, {
    reference,
    amountMinor,
    operationId,
    refundReference: referenceOf('ref', idempotencyKey),
  });
}

interface Told {
  readonly kind: OperationKind;
  readonly request: MoveRequest;
  readonly manner: Manner;
}

async function tell(tx: Transaction, { kind, request, manner }: Told): Promise<void> {
  const { reference, idempotencyKey } = request;
  const types = { capture: 'payment_intent.succeeded', void: 'payment_intent.canceled' } as const;
  const event =
    kind === 'refund'
      ? { type: 'charge.refunded', reference, object: referenceOf('ref', idempotencyKey) }
      : { type: types[kind as keyof typeof types], reference, object: reference };
  await emitSandboxEvent(tx, event);
  if (kind !== 'capture' || manner.dispute === undefined) return;
  const disputeReference = referenceOf('dis', reference);
  await disputeSandbox(tx, { reference, disputeReference, state: manner.dispute });
  await emitSandboxEvent(tx, { type: 'charge.dispute.created', reference, object: disputeReference });
  if (manner.dispute === 'opened') return;
  await emitSandboxEvent(tx, { type: 'charge.dispute.closed', reference, object: disputeReference });
}

function isTold({ hasWebhooks }: SandboxOptions, { webhooks }: Manner): boolean {
  return hasWebhooks || webhooks !== undefined;
}

interface Replay {
  readonly request: AuthoriseRequest | MoveRequest;
  readonly fingerprint: string;
  readonly reference: string;
}

/** As providers do: the first answer once more, errors too; other parameters are an error. */
async function replay({ db }: SandboxOptions, { request, fingerprint, reference }: Replay): Promise<Answer> {
  const known = await findAnswer(db, request.idempotencyKey);
  if (known === undefined) throw new ProviderUnavailable('The same question is being answered');
  // Answers from before the sandbox had a memory.
  if (known.fingerprint !== '' && known.fingerprint !== fingerprint) {
    throw new OutcomeUnknown('The idempotency key was used with other parameters');
  }
  return answerWith(db, reference, known.answer);
}

async function answerWith(db: Database, reference: string, fault: string | undefined): Promise<Answer> {
  if (fault === 'timeout') throw new OutcomeUnknown('The sandbox provider did not answer in time: asked to');
  if (fault === 'error') throw new OutcomeUnknown('The sandbox provider answered 500: asked to');
  const payment: ProviderPayment | undefined = await readSandbox(db, reference);
  if (payment === undefined) throw new Error(`Cannot read sandbox payment ${reference}: it is gone`);
  return { kind: 'done', payment };
}

function fingerprintOf(parameters: readonly (string | number)[]): string {
  return createHash('sha256').update(JSON.stringify(parameters)).digest('hex');
}

/** Decided by the key, so that a reference needs no look-up. */
function referenceOf(prefix: string, key: string): string {
  return `sandbox_${prefix}_${createHash('sha256').update(key).digest('hex').slice(0, 24)}`;
}
