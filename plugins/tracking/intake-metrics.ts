import type { Metrics } from '#plugin-api';
import { fixFlags, type Fix, type Outcome } from './fix.ts';

type Amounts = Readonly<Record<string, number>>;

/** What is counted of a batch: one record a label instead of one a message, for a plugin may record only so many. */
export interface IntakeMetrics {
  stored(fixes: readonly Fix[], stored: number): void;
  rejected(outcomes: readonly Outcome[]): void;
}

export function createIntakeMetrics(metrics: Pick<Metrics, 'increment'>): IntakeMetrics {
  function add(name: string, label: string, amounts: Amounts): void {
    for (const [value, amount] of Object.entries(amounts)) {
      if (amount > 0) metrics.increment(name, { [label]: value }, amount);
    }
  }
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
  };
}

function countBy(outcomes: readonly Outcome[]): Amounts {
  const reasons: Record<string, number> = {};
  for (const outcome of outcomes) {
    if (outcome.kind === 'rejected') reasons[outcome.reason] = (reasons[outcome.reason] ?? 0) + 1;
  }
  return reasons;
}
