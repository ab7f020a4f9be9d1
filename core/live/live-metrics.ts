import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Counter, Gauge, Metrics } from '#core/telemetry/metrics.ts';
import type { WatcherCounts } from './watcher.ts';

export interface LiveMetrics {
  readonly open: Gauge;
  readonly published: Counter;
  readonly ended: Counter;
  readonly rechecks: Counter;
  /** What becomes of the values of one transport's clients. */
  countsOf(transport: string): WatcherCounts;
  refused(error: unknown): void;
}

export function createLiveMetrics(metrics: Metrics, config: Config): LiveMetrics {
  const connectionsMax = metrics.gauge('returnit_live_connections_max');
  for (const transport of ['ws', 'sse']) connectionsMax.set({ transport }, config.liveConnectionsMax);
  const refused = metrics.counter('returnit_live_connections_refused_total');
  const sent = metrics.counter('returnit_live_messages_sent_total');
  const conflated = metrics.counter('returnit_live_messages_conflated_total');
  const dropped = metrics.counter('returnit_live_messages_dropped_total');
  const resumes = metrics.counter('returnit_live_resumes_total');
  return {
    open: metrics.gauge('returnit_live_connections'),
    published: metrics.counter('returnit_live_messages_published_total'),
    ended: metrics.counter('returnit_live_connections_ended_total'),
    rechecks: metrics.counter('returnit_live_rechecks_total'),
    countsOf(transport) {
      const labels = { transport };
      const stale = { transport, reason: 'stale' };
      return {
        sent: () => sent.inc(labels),
        conflated: () => conflated.inc(labels),
        stale: () => dropped.inc(stale),
        resumed: (outcome) => resumes.inc({ transport, outcome }),
      };
    },
    refused: (error) => refused.inc({ reason: toReason(error) }),
  };
}

function toReason(error: unknown): string {
  if (!(error instanceof AppError)) return 'unauthenticated';
  if (error.code === 'SHUTTING_DOWN') return 'stopping';
  if (error.code !== 'OVERLOADED') return 'unauthenticated';
  return error.details?.['of'] === 'principal' ? 'principal' : 'overloaded';
}
