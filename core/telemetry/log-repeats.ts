import { context, ROOT_CONTEXT } from '@opentelemetry/api';

/** What makes lines the same. */
export interface LineKind {
  readonly level: string;
  readonly message: string;
  readonly plugin: string | undefined;
  readonly component: string | undefined;
  /** Of the error that the line is about. */
  readonly code: string | undefined;
}

export interface LogRepeatsOptions {
  /** Lines of one kind in a window (LOG_REPEATS_MAX); 0 is without limit. */
  readonly max: number;
  readonly windowMs: number;
  /** A window has ended in which lines of this kind were left out. */
  readonly onWindowEnd: (kind: LineKind, leftOut: number) => void;
  /** Kinds that are counted at the same time; of more the oldest is told and forgotten. @default 1000 */
  readonly kindsMax?: number;
  /** @default Date.now */
  readonly now?: () => number;
}

export interface LogRepeats {
  /**
   * Counts a line of this kind; false when there were enough in this window. Of those that are written in any case nothing
   * is told at its end.
   */
  take(kind: LineKind, options?: { readonly isWritten: boolean }): boolean;
  /** Ends all windows now, and tells what was left out. */
  flush(): void;
}

interface Window {
  readonly kind: LineKind;
  readonly endsAtMs: number;
  lines: number;
  leftOut: number;
}

const messageLengthMax = 200;

/**
 * Counts lines by kind. Messages may hold anything, so the kinds are bounded: whoever writes ever new messages is not
 * held back here, and makes nothing grow.
 */
export function createLogRepeats(options: LogRepeatsOptions): LogRepeats {
  const { max, windowMs, onWindowEnd, kindsMax = 1000, now = Date.now } = options;
  // A kind is added when its window begins, so those that end first stand first.
  const windows = new Map<string, Window>();
  let timer: NodeJS.Timeout | undefined;

  function end(key: string, window: Window): void {
    windows.delete(key);
    if (window.leftOut > 0) onWindowEnd(window.kind, window.leftOut);
  }

  function endThoseOver(): void {
    const nowMs = now();
    for (const [key, window] of windows) {
      if (window.endsAtMs > nowMs) break;
      end(key, window);
    }
  }

  /** The end is told also when nothing more of the kind is written. */
  function wake(): void {
    const first = windows.values().next().value;
    if (timer !== undefined || first === undefined) return;
    // Not in the span of whoever happened to write the first line.
    context.with(ROOT_CONTEXT, () => {
      timer = setTimeout(
        () => {
          timer = undefined;
          endThoseOver();
          wake();
        },
        Math.max(1, first.endsAtMs - now()),
      ).unref();
    });
  }

  function windowOf(kind: LineKind): Window {
    const message = kind.message.slice(0, messageLengthMax);
    const key = `${kind.level}\0${kind.plugin ?? ''}\0${kind.component ?? ''}\0${kind.code ?? ''}\0${message}`;
    const known = windows.get(key);
    if (known !== undefined && known.endsAtMs > now()) return known;
    if (known !== undefined) end(key, known);
    for (const [oldest, window] of windows) {
      if (windows.size < kindsMax) break;
      end(oldest, window);
    }
    const window = { kind: { ...kind, message }, endsAtMs: now() + windowMs, lines: 0, leftOut: 0 };
    windows.set(key, window);
    wake();
    return window;
  }

  return {
    take(kind, { isWritten } = { isWritten: false }) {
      if (max === 0) return true;
      const window = windowOf(kind);
      window.lines += 1;
      if (window.lines <= max) return true;
      if (!isWritten) window.leftOut += 1;
      return false;
    },
    flush() {
      clearTimeout(timer);
      timer = undefined;
      for (const [key, window] of windows) end(key, window);
    },
  };
}
