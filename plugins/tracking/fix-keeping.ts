import type { PluginContext } from '#plugin-api';
import type { ArrivalTimes } from './arrival-times.ts';
import { observeStops } from './arrivals.ts';
import { publishMoved } from './fan-out.ts';
import type { Fix } from './fix.ts';
import type { IntakeMetrics } from './intake-metrics.ts';
import type { Plausibility } from './plausibility.ts';
import { storeFixes } from './store/fixes.ts';
import { listNewestSightings } from './store/newest.ts';
import type { VisitRules } from './visit.ts';

export interface FixKeepingOptions {
  readonly plausibility: Plausibility;
  readonly metrics: IntakeMetrics;
  readonly settings: VisitRules;
  readonly arrivalTimes: ArrivalTimes;
  readonly now: () => number;
}

/** Flags, stores and shows fixes that may be taken. A throw means that none was stored. */
export type KeepFixes = (fixes: readonly Fix[]) => Promise<void>;

export function createFixKeeping(ctx: PluginContext, options: FixKeepingOptions): KeepFixes {
  const { plausibility, metrics, settings } = options;
  return async function keep(fixes) {
    if (fixes.length === 0) return;
    const unknown = plausibility.unknownDrivers(fixes);
    const known = unknown.length === 0 ? new Map<never, never>() : await listNewestSightings(ctx.db, unknown);
    const flagged = plausibility.flag(fixes, known);
    const { stored, moved, carriers } = await storeFixes(ctx.db, flagged);
    metrics.stored(flagged, stored);
    await publishMoved(ctx, moved, options);
    await observeStops(ctx, flagged, { rules: settings, carriers });
  };
}
