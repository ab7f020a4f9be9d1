export interface BacklogPaceOptions {
  /** Part of the time in which backlogs are handled while prompt messages come; above 0, at most 1. */
  readonly share: number;
  readonly now: () => number;
}

/** So long after the newest prompt message others are expected. */
const sharedMs = 2000;

/**
 * Leaves time to those who report now and then while others come back with full queues. Handling a backlog as fast as it can
 * be handled keeps every processor busy, and whoever sends a single message waits for one at each step of its way; so
 * after each batch of a backlog there is a pause in proportion to it. Without prompt messages there is none.
 */
export class BacklogPace {
  readonly #options: BacklogPaceOptions;
  #promptAtMs = Number.NEGATIVE_INFINITY;
  #resumeAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: BacklogPaceOptions) {
    this.#options = options;
  }

  promptCame(): void {
    this.#promptAtMs = this.#options.now();
  }

  /** Whether prompt messages come. */
  get isShared(): boolean {
    return this.#options.now() - this.#promptAtMs < sharedMs;
  }

  /** A batch of a backlog has ended that took so long. */
  batchEnded(durationMs: number): void {
    const { share, now } = this.#options;
    this.#resumeAtMs = now() + (durationMs * (1 - share)) / share;
  }

  /** How long the next one has to wait. */
  get pauseMs(): number {
    return this.isShared ? Math.max(0, this.#resumeAtMs - this.#options.now()) : 0;
  }
}
