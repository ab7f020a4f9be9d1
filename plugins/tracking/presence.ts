import type { PluginContext } from '#plugin-api';
import { countPresence, type PresenceSettings } from './store/presence.ts';

/** How old the figures of presence are at most. */
export const evaluateEveryMs = 15_000;

export interface PresenceWatch {
  stop(): Promise<void>;
}

/**
 * Keeps the gauges of presence. Every node reads the same figures from the database, so each shows the whole fleet, and
 * nothing is lost with a node: presence itself is computed where it is asked for.
 */
export function startPresenceWatch(ctx: PluginContext, settings: PresenceSettings, now: () => number): PresenceWatch {
  let running: Promise<void> | undefined;
  const evaluate = async (): Promise<void> => {
    try {
      for (const { presence, drivers, carrying } of await countPresence(ctx.db, settings, now())) {
        ctx.metrics.set('returnit_tracking_drivers', drivers, { presence });
        if (presence !== 'online') ctx.metrics.set('returnit_tracking_silent_drivers', carrying, { presence });
      }
    } catch (error) {
      ctx.log.warn('presence was not evaluated', { error: (error as Error).message });
    }
  };
  const start = (): void => {
    // One at a time, however slow the database is.
    running ??= evaluate().finally(() => (running = undefined));
  };
  const timer = setInterval(start, evaluateEveryMs);
  timer.unref();
  start();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
