import type { IncomingMessage } from './incoming-message.ts';

interface Apart<T> {
  readonly value: T;
  readonly failures: number;
  readonly dueAtMs: number;
}

/** Messages that failed alone, each with the time at which it is tried again. */
export class SetApart<T> {
  readonly #messages = new Map<IncomingMessage, Apart<T>>();

  get size(): number {
    return this.#messages.size;
  }

  /** Infinity when there is none. */
  get nextDueAtMs(): number {
    return Math.min(...this.#messages.values().map(({ dueAtMs }) => dueAtMs));
  }

  failuresOf(message: IncomingMessage): number {
    return this.#messages.get(message)?.failures ?? 0;
  }

  add(message: IncomingMessage, apart: Apart<T>): void {
    this.#messages.set(message, apart);
  }

  delete(message: IncomingMessage): boolean {
    return this.#messages.delete(message);
  }

  /** Those that may be tried now. */
  *due(nowMs: number): Generator<[IncomingMessage, T]> {
    for (const [message, { value, dueAtMs }] of this.#messages) if (dueAtMs <= nowMs) yield [message, value];
  }
}
