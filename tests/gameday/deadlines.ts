/** How long an alert may take in shortened time: what its rule says, and what a fault needs besides. */
import type { Alert } from '../../alerts/alert.ts';
import { recordings } from '../../alerts/recordings.ts';
import { groups } from '../../alerts/rules.ts';
import { parseDuration, rangesOf } from './scale.ts';

const evaluationMs = 30_000;
const scrapeMs = 15_000;
/** Until Alertmanager tells of a group that it has told of before. */
const groupIntervalMs = 300_000;
const alerts = Object.values(groups).flat();
const recorded = Object.values(recordings).flat();

export function findAlert(name: string): Alert {
  const alert = alerts.find((each) => each.name === name);
  if (alert === undefined) throw new Error(`Cannot find the alert '${name}'`);
  return alert;
}

/** The shortest range that it reads, by itself or by a series that is computed: what is over leaves that one first. */
function shortestRangeMs({ expr }: Alert): number {
  const read = recorded.filter(({ record }) => new RegExp(`(?<![a-z0-9_:])${record}(?![a-z0-9_:])`).test(expr));
  const ranges = [expr, ...read.map((recording) => recording.expr)].flatMap(rangesOf);
  return ranges.length === 0 ? 0 : Math.min(...ranges);
}

export interface Deadlines {
  /** From the fault to the alert. */
  readonly fireMs: number;
  /** From the alert to whoever is told. */
  readonly tellMs: number;
  /** From the end of the fault to the end of the alert. */
  readonly resolveMs: number;
}

export interface Allowance {
  readonly leadSeconds: number;
  readonly recoverySeconds: number;
}

export function deadlinesOf(alert: Alert, factor: number, allowance: Allowance): Deadlines {
  // Two evaluations and scrapes, since nothing happens just before one; one more of a series that is computed.
  const reactionMs = 3 * evaluationMs + 2 * scrapeMs;
  const rangeMs = shortestRangeMs(alert);
  return {
    fireMs: (rangeMs + parseDuration(alert.for) + reactionMs) / factor + allowance.leadSeconds * 1000,
    tellMs: groupIntervalMs / factor + 10_000,
    resolveMs:
      (rangeMs + parseDuration(alert.keepFiringFor ?? '0s') + reactionMs) / factor + allowance.recoverySeconds * 1000,
  };
}
