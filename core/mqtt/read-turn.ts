export interface ReadTurnOptions {
  /** Milliseconds of one turn. */
  readonly maxMs: number;
  /** Milliseconds of any clock that only goes forward. @default performance.now */
  readonly now?: () => number;
}

/**
 * How long messages are read in one turn of the event loop, of all connections together. A hundred full sockets are
 * ready at once when phones come back: to read them all would keep answers, pings and batches waiting for that long.
 */
export class ReadTurn {
  readonly #maxMs: number;
  readonly #now: () => number;
  #endsAtMs: number | undefined;
  #waiting: (() => void)[] = [];

  constructor({ maxMs, now = () => performance.now() }: ReadTurnOptions) {
    this.#maxMs = maxMs;
    this.#now = now;
  }

  /** Begins the turn when none was begun. */
  get isOver(): boolean {
    if (this.#endsAtMs !== undefined) return this.#now() >= this.#endsAtMs;
    this.#endsAtMs = this.#now() + this.#maxMs;
    setImmediate(() => this.#next());
    return false;
  }

  /** Calls back in a later turn: those who waited before come first. */
  onNext(resume: () => void): void {
    this.#waiting.push(resume);
  }

  #next(): void {
    this.#endsAtMs = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [index, resume] of waiting.entries()) {
      if (this.isOver) {
        this.#waiting = [...waiting.slice(index), ...this.#waiting];
        return;
      }
      resume();
    }
  }
}
