import type { Metrics } from '#core/telemetry/metrics.ts';

const reasons = ['evict', 'expire'] as const;

export interface Evictions {
  /** An increase does not show what a series begins with. */
  beginAtZero(labels: CacheLabels): void;
  /** An entry is gone: counted unless somebody removed or replaced it. */
  gone(labels: CacheLabels, reason: string): void;
}

interface CacheLabels {
  readonly cache: string;
  readonly plugin: string;
}

/** What caches let go of by themselves. */
export function createEvictions(metrics: Pick<Metrics, 'counter'>): Evictions {
  const evictions = metrics.counter('returnit_cache_evictions_total');
  return {
    beginAtZero({ cache, plugin }) {
      for (const reason of reasons) evictions.inc({ cache, plugin, reason }, 0);
    },
    gone({ cache, plugin }, reason) {
      if (reasons.some((known) => known === reason)) evictions.inc({ cache, plugin, reason });
    },
  };
}
