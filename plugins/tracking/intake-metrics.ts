import type { Metrics, MqttMessage } from '#plugin-api';
import { fixFlags, type Fix, type Outcome } from './fix.ts';
import type { ParsedMessage } from './parse.ts';

type Amounts = Readonly<Record<string, number>>;

/** What is counted of a batch: one record a label instead of one a message, for a plugin may record only so many. */
export interface IntakeMetrics {
  stored(fixes: readonly Fix[], stored: number): void;
  rejected(outcomes: readonly Outcome[]): void;
  /** How far the fixes of a batch that is committed now were behind, each message with what it was read as. */
  lags(messages: readonly MqttMessage[], parsed: readonly ParsedMessage[], committedMs: number): void;
}

export function createIntakeMetrics(metrics: Pick<Metrics, 'increment' | 'observe'>): IntakeMetrics {
  function add(name: string, label: string, amounts: Amounts): void {
    for (const [value, amount] of Object.entries(amounts)) {
      if (amount > 0) metrics.increment(name, { [label]: value }, amount);
    }
  }
  /** A clock that goes ahead, the phone's or one that was set, makes no lag below nothing. */
  const observe = (name: string, ms: number, labels: Readonly<Record<string, string>>): void =>
    metrics.observe(name, Math.max(0, ms) / 1000, labels);
  return {
    stored(fixes, stored) {
      add('returnit_tracking_fixes_total', 'outcome', { stored, known: fixes.length - stored });
      add(
        'returnit_tracking_flagged_total',
        'flag',
        Object.fromEntries(fixFlags.map((flag) => [flag, fixes.filter(({ flags }) => flags.includes(flag)).length])),
      );
    },
    rejected(outcomes) {
      add('returnit_tracking_rejected_total', 'reason', countBy(outcomes));
    },
    lags(messages, parsed, committedMs) {
      const lags = messages.flatMap(({ receivedAt }, index) => {
        const result = parsed[index];
        if (result?.kind !== 'fix') return [];
        const receivedMs = Date.parse(receivedAt);
        return [{ toReceiptMs: receivedMs - Date.parse(result.fix.recordedAt), toCommitMs: committedMs - receivedMs }];
      });
      if (lags.length === 0) return;
      const toReceiptMs = lags.map((lag) => lag.toReceiptMs);
      const ahead = toReceiptMs.filter((ms) => ms < 0).length;
      if (ahead > 0) metrics.increment('returnit_tracking_clock_ahead_total', {}, ahead);
      observe('returnit_tracking_receipt_lag_seconds', Math.min(...toReceiptMs), { fix: 'newest' });
      observe('returnit_tracking_receipt_lag_seconds', Math.max(...toReceiptMs), { fix: 'oldest' });
      observe('returnit_tracking_commit_lag_seconds', Math.max(...lags.map((lag) => lag.toCommitMs)), {});
    },
  };
}

function countBy(outcomes: readonly Outcome[]): Amounts {
  const reasons: Record<string, number> = {};
  for (const outcome of outcomes) {
    if (outcome.kind === 'rejected') reasons[outcome.reason] = (reasons[outcome.reason] ?? 0) + 1;
  }
  return reasons;
}
