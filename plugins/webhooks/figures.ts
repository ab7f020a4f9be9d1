import type { PluginContext } from '#plugin-api';
import { countEndpointsByHealth, readBacklog } from './store/keeping.ts';

/** How old the figures are at most. */
const everyMs = 15_000;
const states = ['enabled', 'disabled'] as const;
const healths = ['healthy', 'failing', 'disabled_partner', 'disabled_gone', 'disabled_failing'] as const;

export interface Figures {
  stop(): Promise<void>;
}

/** Gauges of what is in the database: the same on every node, so nothing is lost with one. */
export function startFigures(ctx: PluginContext): Figures {
  let running: Promise<void> | undefined;
  const show = async (): Promise<void> => {
    try {
      await showFigures(ctx);
    } catch (error) {
      ctx.log.warn('figures of webhooks were not read', { error: (error as Error).message });
    }
  };
  const start = (): void => {
    // One at a time, however slow the database is.
    running ??= show().finally(() => (running = undefined));
  };
  const timer = setInterval(start, everyMs);
  timer.unref();
  start();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

export async function showFigures(ctx: Pick<PluginContext, 'db' | 'metrics'>): Promise<void> {
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
}
