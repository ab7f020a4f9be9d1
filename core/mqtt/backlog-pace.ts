import type { Lane } from './fair-queue.ts';

export interface BacklogPaceOptions {
  /** Part of the time in which backlogs are handled while prompt messages come; above 0, at most 1. */
  readonly share: number;
  readonly now: () => number;
}

/** So long after its newest prompt message another one of a topic is expected. */
const sharedMs = 2000;

/**
 * Leaves time to those who report now and then while others come back with full queues. Handling a backlog as fast as it can
 * be handled keeps every processor busy, and whoever sends a single message waits for one at each step of its way; so
 * after each batch of a backlog there is a pause in proportion to it. Without prompt messages there is none.
 */
export class BacklogPace {
  readonly #options: BacklogPaceOptions;
  /** When each of those who report now and then was last heard: the one heard longest ago first. */
  readonly #heardAtMs = new Map<string, number>();
  #resumeAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: BacklogPaceOptions) {
    this.#options = options;
  }

  /** A message of this topic came by this lane. Every backlog begins with prompt ones: its topic is left out from the next on. */
  came(topic: string, lane: Lane): void {
    this.#heardAtMs.delete(topic);
    if (lane === 'prompt') this.#heardAtMs.set(topic, this.#options.now());
  }

  /** Whether prompt messages come, of others than those who come back. */
  get isShared(): boolean {
    const nowMs = this.#options.now();
    for (const [topic, heardAtMs] of this.#heardAtMs) {
      if (nowMs - heardAtMs < sharedMs) return true;
      this.#heardAtMs.delete(topic);
    }
    return false;
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
