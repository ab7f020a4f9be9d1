interface Expiring {
  /** On the clock of `performance.now()`. */
  readonly deadlineMs: number;
}

/**
 * One timer for all that has a deadline: it is set for the earliest, and only when it fires are the others looked at.
 * Nothing is undone for what finished in time, so a call that does, which is nearly every call, costs a comparison.
 */
export class Deadlines<T extends Expiring> {
  readonly #pending: () => Iterable<T>;
  readonly #expire: (expired: T) => void;
  #timer: NodeJS.Timeout | undefined;
  #firesAtMs = Infinity;

  /** `pending`: all that has not finished yet. */
  constructor(pending: () => Iterable<T>, expire: (expired: T) => void) {
    this.#pending = pending;
    this.#expire = expire;
  }

  add({ deadlineMs }: T): void {
    if (deadlineMs < this.#firesAtMs) this.#arm(deadlineMs);
    else this.#timer?.ref();
  }

  /** Nothing is pending: the timer stays set, but keeps no process alive. */
  rest(): void {
    this.#timer?.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#firesAtMs = Infinity;
  }

  #arm(deadlineMs: number): void {
    clearTimeout(this.#timer);
    this.#firesAtMs = deadlineMs;
    this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.ceil(deadlineMs - performance.now())));
  }

  #look(): void {
    this.#firesAtMs = Infinity;
    const nowMs = performance.now();
    let earliestMs = Infinity;
    const expired: T[] = [];
    for (const item of this.#pending()) {
      if (item.deadlineMs <= nowMs) expired.push(item);
      else earliestMs = Math.min(earliestMs, item.deadlineMs);
    }
    if (earliestMs < Infinity) this.#arm(earliestMs);
    for (const item of expired) this.#expire(item);
  }
}
