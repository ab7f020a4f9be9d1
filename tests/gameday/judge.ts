/** What is to be thought of a fault, from what was seen. */
import type { Severity } from '../../alerts/alert.ts';
import type { Consequence, Expected } from './fault.ts';
import type { Labels, Told } from './receiver.ts';

/** Seconds since the fault began, or since it ended; undefined when it was waited for in vain. */
export interface Seen {
  readonly expected: Expected;
  readonly severity: Severity;
  readonly firedSeconds: number | undefined;
  /** Null: nobody is to be told. */
  readonly toldSeconds: number | undefined | null;
  readonly resolvedSeconds: number | undefined;
}

export interface Verdict extends Seen {
  readonly isPassed: boolean;
  readonly failures: readonly string[];
}

export const carries = (labels: Labels, wanted: Labels): boolean =>
  Object.entries(wanted).every(([name, value]) => labels[name] === value);

export const isExpected = (labels: Labels, { alert, labels: wanted }: Expected): boolean =>
  labels['alertname'] === alert && carries(labels, wanted);

const onCall = 'ALERT_ON_CALL_URL';
const day: readonly string[] = ['ALERT_OPS_URL', 'ALERT_OPERATIONS_DESK_URL', 'ALERT_FINANCE_URL'];

/** Whether this is where an alert of this severity is to be told. */
export function isToldTo(who: string, severity: Severity): boolean {
  if (severity === 'critical') return who === onCall;
  return severity === 'warning' && day.includes(who);
}

/** Who was called for something else, each once: `alertname (service)`. */
export function findUnrelatedPages(
  told: readonly Told[],
  expected: readonly Expected[],
  consequences: readonly Consequence[],
): readonly string[] {
  const unrelated = told
    .filter(({ who, status }) => who === onCall && status === 'firing')
    .filter(({ labels }) => !expected.some((each) => isExpected(labels, each)))
    .filter(({ labels }) => !consequences.some(({ alert }) => alert === labels['alertname']));
  return [...new Set(unrelated.map(({ labels }) => `${labels['alertname']} (${labels['service']})`))];
}

export function judge(seen: Seen, unrelatedPages: readonly string[]): Verdict {
  const failures = [
    ...(seen.firedSeconds === undefined ? ['did not fire in time'] : []),
    ...(seen.firedSeconds !== undefined && seen.toldSeconds === undefined ? ['nobody was told'] : []),
    ...(seen.firedSeconds !== undefined && seen.resolvedSeconds === undefined ? ['did not resolve in time'] : []),
    ...(unrelatedPages.length > 0 ? [`somebody was called for ${unrelatedPages.join(', ')}`] : []),
  ];
  return { ...seen, failures, isPassed: failures.length === 0 };
}
