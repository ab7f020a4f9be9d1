export interface RestartPolicy {
  /** What to do after a death now: milliseconds until the next start, or quarantine. */
  afterDeath(uptimeMs: number): { readonly restartInMs: number } | 'quarantine';
  /** Forgets the deaths: the operator has released the plugin. */
  reset(): void;
}

const delayMaxMs = 30_000;

/**
 * Exponential back-off with jitter; too many deaths within the window quarantine. A process that lived longer than the
 * window has proved itself, so its death starts the back-off anew.
 */
export function createRestartPolicy(options: {
  readonly restartDelayMs: number;
  readonly quarantineDeaths: number;
  readonly quarantineWindowMs: number;
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}): RestartPolicy {
  let deathsAtMs: number[] = [];
  let consecutive = 0;

  return {
    afterDeath(uptimeMs) {
      const nowMs = options.now();
      deathsAtMs = [...deathsAtMs.filter((atMs) => nowMs - atMs < options.quarantineWindowMs), nowMs];
      consecutive = uptimeMs >= options.quarantineWindowMs ? 1 : consecutive + 1;
      if (deathsAtMs.length >= options.quarantineDeaths) return 'quarantine';
      const delayMs = Math.min(options.restartDelayMs * 2 ** (consecutive - 1), delayMaxMs);
      return { restartInMs: delayMs / 2 + (delayMs / 2) * options.random() };
    },
    reset() {
      deathsAtMs = [];
      consecutive = 0;
    },
  };
}
