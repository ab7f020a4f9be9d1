import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Counter, Gauge, Metrics } from '#core/telemetry/metrics.ts';

export interface LiveMetrics {
  readonly open: Gauge;
  readonly published: Counter;
  readonly sent: Counter;
  readonly superseded: Counter;
  refused(error: unknown): void;
}

export function createLiveMetrics(metrics: Metrics, config: Config): LiveMetrics {
  const connectionsMax = metrics.gauge('returnit_live_connections_max');
  for (const transport of ['ws', 'sse']) connectionsMax.set({ transport }, config.liveConnectionsMax);
  const refused = metrics.counter('returnit_live_connections_refused_total');
  return {
    open: metrics.gauge('returnit_live_connections'),
    published: metrics.counter('returnit_live_messages_published_total'),
    sent: metrics.counter('returnit_live_messages_sent_total'),
    superseded: metrics.counter('returnit_live_messages_superseded_total'),
    refused: (error) => refused.inc({ reason: toReason(error) }),
  };
}

function toReason(error: unknown): string {
  switch (error instanceof AppError ? error.code : undefined) {
    case 'OVERLOADED':
      return 'overloaded';
    case 'SHUTTING_DOWN':
      return 'stopping';
    default:
      return 'unauthenticated';
  }
}
