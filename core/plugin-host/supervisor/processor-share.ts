import { writeFileSync } from 'node:fs';

/** Of the nice values, -20 to 19: about a ninth of the processor time of a process at 0 that wants it too. */
const yieldingNice = 10;
const retryMs = 150;

/**
 * Lets the core, the database and the other plugins go first while a plugin takes more than a whole processor: as one
 * thread it cannot, so its heap is full and the engine does little but collect.
 *
 * A plugin's process is a session of its own, and Linux shares out processor time by session first (sched(7), "The
 * autogroup feature"); a session's share may also be raised again without privileges, which a process's may not. Where
 * the kernel has no such groups (containers with a share of their own, other systems) nothing is changed.
 */
export class ProcessorShare {
  readonly #pid: number;
  #wanted: 'full' | 'yielding' = 'full';
  #nice = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(pid: number) {
    this.#pid = pid;
  }

  want(share: 'full' | 'yielding'): void {
    this.#wanted = share;
    this.#apply();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #apply(): void {
    clearTimeout(this.#timer);
    const nice = this.#wanted === 'yielding' ? yieldingNice : 0;
    if (nice === this.#nice) return;
    try {
      writeFileSync(`/proc/${this.#pid}/autogroup`, String(nice), { flag: 'r+' });
      this.#nice = nice;
    } catch (error) {
      // The kernel takes one change in a tenth of a second from who is not root; anything else means that it has no
      // groups, or that the process is gone.
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN')
        this.#timer = setTimeout(() => this.#apply(), retryMs).unref();
    }
  }
}
