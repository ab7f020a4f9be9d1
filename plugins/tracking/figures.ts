import type { PluginContext } from '#plugin-api';

/** How old the figures are at most. */
const everyMs = 15_000;

export interface Figures {
  stop(): Promise<void>;
}

/**
 * Keeps gauges of what is in the database. Every node reads the same figures from it, so each shows the whole, and nothing
 * is lost with a node. A figure that cannot be read stays as it is, and the others go on.
 */
export function startFigures(
  ctx: Pick<PluginContext, 'log'>,
  shows: Readonly<Record<string, () => Promise<void>>>,
): Figures {
  let running: Promise<void> | undefined;
  const showAll = async (): Promise<void> => {
    for (const [figure, show] of Object.entries(shows)) {
      try {
        await show();
      } catch (error) {
        ctx.log.warn('a figure was not read', { figure, error: (error as Error).message });
      }
    }
  };
  const start = (): void => {
    // One at a time, however slow the database is.
    running ??= showAll().finally(() => (running = undefined));
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
