import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import type { LogLevels } from '#core/telemetry/log-levels.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { LogLevelStore, SetLevel } from './log-level-store.ts';

export interface LogLevelSyncOptions {
  readonly store: Pick<LogLevelStore, 'read'>;
  readonly levels: Pick<LogLevels, 'replace'>;
  readonly logger: Logger;
  /** After a read that failed. @default 5000 */
  readonly retryMs?: number;
  /** Milliseconds that only go on. @default performance.now */
  readonly now?: () => number;
}

export interface LogLevelSync {
  /** What holds on this node. */
  current(): readonly SetLevel[];
  /** Reads what was set and makes it hold. @throws {AppError} when the database cannot be read */
  refresh(): Promise<void>;
  /** To be told that something was set; a read that fails is tried again. */
  changed(): void;
  stop(): void;
}

interface Held {
  readonly set: SetLevel;
  readonly endsAtMs: number;
}

/**
 * What ops have set, in this node's memory. Each level ends by this node's own timer: also when nobody tells it anything
 * any more, no level holds longer than it was set for.
 */
export function createLogLevelSync(options: LogLevelSyncOptions): LogLevelSync {
  const { store, levels, logger, retryMs = 5000, now = () => performance.now() } = options;
  let held: readonly Held[] = [];
  let known = '[]';
  let reading: Promise<void> | undefined;
  let isStale = false;
  let stopped = false;
  let endTimer: NodeJS.Timeout | undefined;
  let retryTimer: NodeJS.Timeout | undefined;

  function hold(next: readonly Held[]): void {
    held = next;
    levels.replace(held.map(({ set }) => set));
    const shown = held.map(({ set: { component, plugin, level, until } }) => ({ component, plugin, level, until }));
    const text = JSON.stringify(shown);
    if (text !== known) logger.info({ levels: shown }, 'Log levels changed');
    known = text;
    clearTimeout(endTimer);
    if (held.length === 0 || stopped) return;
    const firstMs = Math.min(...held.map(({ endsAtMs }) => endsAtMs));
    endTimer = later(Math.ceil(firstMs - now()), () => hold(held.filter(({ endsAtMs }) => endsAtMs > now())));
  }

  /** Whatever is set while it reads, it reads again. */
  async function readAll(): Promise<void> {
    try {
      while (isStale) {
        isStale = false;
        const askedAtMs = now();
        const rows = await store.read();
        if (stopped) return;
        hold(rows.map((set) => ({ set, endsAtMs: askedAtMs + set.leftMs })));
      }
    } finally {
      // At once: who asks from here on begins to read anew.
      reading = undefined;
    }
  }

  function refresh(): Promise<void> {
    if (stopped) return Promise.resolve();
    isStale = true;
    reading ??= readAll();
    return reading;
  }

  function changed(): void {
    clearTimeout(retryTimer);
    refresh().catch((error: unknown) => {
      if (stopped) return;
      logger.warn({ err: error }, 'Cannot read the log levels: those that hold stay until their time is over');
      retryTimer = later(retryMs, changed);
    });
  }

  return {
    current: () => held.map(({ set }) => set),
    refresh,
    changed,
    stop() {
      stopped = true;
      clearTimeout(endTimer);
      clearTimeout(retryTimer);
    },
  };
}

/** Not in the span of whoever has set the level. */
function later(delayMs: number, work: () => void): NodeJS.Timeout {
  return context.with(ROOT_CONTEXT, () => setTimeout(work, Math.max(1, delayMs)).unref());
}
