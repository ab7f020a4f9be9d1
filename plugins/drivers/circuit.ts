export interface CircuitOptions {
  /** Failures in a row that open it. @default 5 */
  readonly failuresMax?: number;
  /** How long nothing is tried then. @default 30 s */
  readonly pauseMs?: number;
  readonly now: () => number;
}

export interface Circuit {
  /** Whether it may be tried now; of those who ask while it is half open, one may. */
  enter(): boolean;
  succeeded(): void;
  failed(): void;
}

/**
 * Closed: everything passes. Open after some failures in a row: nothing does for a while. Then half open: one tries, and
 * what becomes of it closes or opens it again.
 */
export function createCircuit({ failuresMax = 5, pauseMs = 30_000, now }: CircuitOptions): Circuit {
  let failures = 0;
  let openUntilMs = 0;
  return {
    enter() {
      if (failures < failuresMax) return true;
      const nowMs = now();
      if (nowMs < openUntilMs) return false;
      openUntilMs = nowMs + pauseMs;
      return true;
    },
    succeeded() {
      failures = 0;
    },
    failed() {
      failures += 1;
      if (failures >= failuresMax) openUntilMs = now() + pauseMs;
    },
  };
}
