import type { Worker } from './worker.ts';

/** The workers of this node. */
export class Workers {
  readonly #byQueue = new Map<string, Set<Worker>>();

  add(worker: Worker): void {
    this.#byQueue.getOrInsertComputed(worker.queue, () => new Set()).add(worker);
  }

  delete(worker: Worker): void {
    const workers = this.#byQueue.get(worker.queue);
    workers?.delete(worker);
    if (workers?.size === 0) this.#byQueue.delete(worker.queue);
  }

  /** Queues that somebody here works on. */
  get queues(): readonly string[] {
    return [...this.#byQueue.keys()];
  }

  get all(): readonly Worker[] {
    return [...this.#byQueue.values()].flatMap((workers) => [...workers]);
  }

  of(queue: string): readonly Worker[] {
    return [...(this.#byQueue.get(queue) ?? [])];
  }

  /** A job of this queue may be ready. */
  wake(queue: string): void {
    for (const worker of this.of(queue)) worker.wake();
  }
}
