import type { PluginContext } from '#plugin-api';
import { countEndpointsByHealth, readBacklog } from './store/keeping.ts';

/** How old the figures are at most. */
const everyMs = 15_000;
const states = ['enabled', 'disabled'] as const;
const healths = ['healthy', 'failing', 'disabled_partner', 'disabled_gone', 'disabled_failing'] as const;

/** Gauges of what is in the database: the same on every node, so nothing is lost with one. */
export function registerFigures(ctx: Pick<PluginContext, 'db' | 'metrics' | 'repeat'>): void {
  ctx.repeat('figures', { everyMs }, async () => {
    const [endpoints, backlog] = [await countEndpointsByHealth(ctx.db), await readBacklog(ctx.db)];
    for (const health of healths) {
      const count = endpoints.find((row) => row.health === health)?.count ?? 0;
      ctx.metrics.set('returnit_webhooks_endpoints', count, { health });
    }
    for (const state of states) {
      const waiting = backlog.find((row) => row.state === state);
      ctx.metrics.set('returnit_webhooks_backlog', waiting?.count ?? 0, { state });
      ctx.metrics.set('returnit_webhooks_backlog_largest', waiting?.largest ?? 0, { state });
      ctx.metrics.set('returnit_webhooks_backlog_oldest_seconds', waiting?.oldestSeconds ?? 0, { state });
    }
  });
}
