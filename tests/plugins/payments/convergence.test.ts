/**
 * What is known of a payment comes by answers, webhooks and the order's events, in any order and any number of times.
 * Whatever the order, it ends in the same state, with the same ledger and the same events told once.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { createDraft, type Draft } from '../../../plugins/payments/draft.ts';
import { observe } from '../../../plugins/payments/observation.ts';
import { stepDispute } from '../../../plugins/payments/observed-moves.ts';
import type { Operation } from '../../../plugins/payments/operation.ts';
import { statusOf, type PaymentFacts } from '../../../plugins/payments/payment-state.ts';
import type { DisputeState, ProviderPayment } from '../../../plugins/payments/providers/provider.ts';
import { complete, conclude, wishFor } from '../../../plugins/payments/wishes.ts';

const policy = { cancellationFee: { fixedMinor: 0, percent: 50 }, driverSharePercent: 70 };

const initial: PaymentFacts = {
  paymentId: 'p1',
  orderId: 'o1',
  customerId: 'c1',
  partnerId: null,
  provider: 'sandbox',
  reference: null,
  isOpened: true,
  amountMinor: 590,
  currency: 'EUR',
  attempt: 1,
  intent: 'unknown',
  wish: 'hold',
  wishVersion: null,
  isGivenUp: false,
  feeMinor: null,
  capturedMinor: 0,
  refundReservedMinor: 0,
  refundedMinor: 0,
  declineReason: null,
  failureReason: null,
  isOwed: false,
  driverId: null,
  isCompleted: false,
  version: 1,
};

const operation = (kind: Operation['kind'], amountMinor: number): Operation => ({
  operationId: `op-${kind}`,
  kind,
  number: 1,
  amountMinor,
  status: 'pending',
  askedAt: '2026-05-04T08:00:00.000Z',
  providerReference: null,
  failureReason: null,
  requestedBy: 'policy',
});

/** What the provider has gone through, each as it would tell it at that time. */
function historyOf(
  end: 'captured' | 'voided',
  refunds: readonly boolean[],
  dispute: DisputeState | null,
): ProviderPayment[] {
  const base = {
    reference: 'r1',
    operationId: 'op-authorise',
    amountMinor: 590,
    capturedMinor: 0,
    refundedMinor: null,
    currency: 'EUR',
    reason: null,
    refunds: [],
    disputes: [],
  };
  const steps: ProviderPayment[] = [{ ...base, state: 'authorised' }];
  if (end === 'voided') return [...steps, { ...base, state: 'voided', reason: 'requested_by_customer' }];
  const captured: ProviderPayment = { ...base, state: 'captured', capturedMinor: 590 };
  steps.push(captured);
  const done: ProviderPayment['refunds'][number][] = [];
  for (const [index, failsLater] of refunds.entries()) {
    const operationId = index === 0 ? 'op-refund' : null;
    done.push({ reference: `re-${index}`, operationId, amountMinor: 100, state: 'succeeded' });
    steps.push({ ...captured, refunds: [...done] });
    if (!failsLater || operationId === null) continue;
    done[index] = { reference: `re-${index}`, operationId, amountMinor: 100, state: 'failed' };
    steps.push({ ...captured, refunds: [...done] });
  }
  if (dispute !== null) {
    const disputed = { ...captured, refunds: [...done] };
    const tell = (state: DisputeState): ProviderPayment => ({
      ...disputed,
      disputes: [{ reference: 'd1', state, amountMinor: 590, reason: 'fraudulent' }],
    });
    steps.push(tell('opened'));
    if (dispute !== 'opened') steps.push(tell(dispute));
  }
  return steps;
}

interface End {
  readonly status: string;
  readonly facts: PaymentFacts;
  readonly operations: readonly Operation[];
  readonly ledger: Readonly<Record<string, number>>;
  readonly events: readonly string[];
}

type Move = (draft: Draft) => void;

/** As `changePayment` does it, without the database: postings have names, and a name counts once. */
function run(moves: readonly Move[], refunds: number): End {
  let facts = { ...initial, refundReservedMinor: refunds > 0 ? 100 : 0 };
  let operations: readonly Operation[] = [
    operation('authorise', 590),
    ...(refunds > 0 ? [operation('refund', 100)] : []),
  ];
  const posted = new Map<string, readonly { account: string; amountMinor: number }[]>();
  const disputes = new Map<string, DisputeState>();
  const events: string[] = [];
  for (const move of moves) {
    const draft = createDraft(facts, operations);
    move(draft);
    for (const dispute of draft.disputes) {
      const before = disputes.get(dispute.reference) ?? null;
      stepDispute(draft, dispute, before);
      if (before === null || before === 'opened') disputes.set(dispute.reference, dispute.state);
    }
    conclude(draft, policy);
    facts = draft.facts;
    operations = [
      ...draft.operations,
      ...draft.foreignRefunds.map(({ reference, amountMinor }) => ({
        ...operation('refund', amountMinor),
        operationId: `foreign-${reference}`,
        status: 'succeeded' as const,
        providerReference: reference,
      })),
    ];
    for (const { reference, entries } of draft.postings) {
      if (!posted.has(reference)) posted.set(reference, entries);
      assert.equal(
        entries.reduce((sum, { amountMinor }) => sum + amountMinor, 0),
        0,
      );
    }
    events.push(...draft.events.map(({ name }) => name));
  }
  const ledger: Record<string, number> = {};
  for (const { account, amountMinor } of [...posted.values()].flat())
    ledger[account] = (ledger[account] ?? 0) + amountMinor;
  const balances = Object.fromEntries(Object.entries(ledger).filter(([, sum]) => sum !== 0));
  return { status: statusOf(facts, operations), facts, operations, ledger: balances, events: events.toSorted() };
}

const seeing =
  (seen: ProviderPayment): Move =>
  (draft) =>
    void observe(draft, seen);

const lives = fc.record({
  end: fc.constantFrom('captured' as const, 'captured' as const, 'voided' as const),
  refunds: fc.array(fc.boolean(), { maxLength: 3 }),
  dispute: fc.constantFrom(null, 'opened' as const, 'won' as const, 'lost' as const),
});

describe('what is known of a payment', () => {
  it('ends the same in any order, and however often each piece of it comes', () => {
    fc.assert(
      fc.property(
        lives.chain((life) => {
          const steps = historyOf(life.end, life.refunds, life.dispute);
          const all = [...steps, ...steps];
          return fc.tuple(fc.constant(life), fc.shuffledSubarray(all, { minLength: all.length }));
        }),
        ([life, shuffled]) => {
          const steps = historyOf(life.end, life.refunds, life.dispute);
          const wish: Move = (draft) => wishFor(draft, life.end === 'captured' ? 'capture' : 'release', 7);
          const inOrder = run([wish, ...steps.map(seeing)], life.refunds.length);
          const mixed = run([wish, ...shuffled.map(seeing)], life.refunds.length);
          assert.equal(mixed.status, inOrder.status);
          assert.deepEqual(mixed.facts, inOrder.facts);
          assert.deepEqual(
            mixed.operations.toSorted((a, b) => (a.operationId < b.operationId ? -1 : 1)),
            inOrder.operations.toSorted((a, b) => (a.operationId < b.operationId ? -1 : 1)),
          );
          assert.deepEqual(mixed.ledger, inOrder.ledger);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("and the order's events, with the provider's news between them, move the money where the order's end says", () => {
    const captured = historyOf('captured', [], null);
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }), fc.boolean(), (order, isVersioned) => {
        const version = (value: number): number | null => (isVersioned ? value : null);
        const moves: Move[] = [
          (draft) => wishFor(draft, 'capture', version(7)),
          (draft) => wishFor(draft, 'release', version(4)),
          (draft) => complete(draft, 'd1'),
          ...captured.map(seeing),
          (draft) => wishFor(draft, 'capture', version(7)),
        ];
        const { status, ledger, events } = run(
          order.flatMap((index) => moves[index] ?? []),
          0,
        );
        assert.deepEqual(
          [status, ledger],
          ['captured', { driver_costs: 413, driver_payable: -413, provider_clearing: 590, revenue: -590 }],
        );
        assert.equal(events.filter((name) => name.startsWith('payment.captured')).length, 1);
      }),
      { numRuns: 500 },
    );
  });

  it('does not take another payment for this one', () => {
    const [seen] = historyOf('captured', [], null);
    assert.ok(seen !== undefined);
    const draft = createDraft(initial, [operation('authorise', 590)]);
    assert.equal(observe(draft, { ...seen, operationId: 'op-other' }), false);
    assert.equal(observe(draft, seen), true);
    assert.equal(observe(draft, { ...seen, reference: 'r2', state: 'voided' }), false);
    assert.equal(draft.facts.intent, 'authorised');
  });
});
