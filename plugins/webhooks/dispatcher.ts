/**
 * Takes what is due as long as there is room, and sends it. Endpoints that fail have half of the room at most, whatever their
 * number, so that those that work never wait for time-outs of others.
 */
export interface DispatcherOptions<Claim> {
  readonly concurrency: number;
  /** The longest wait for what is due without a wake-up: retries, what another node left, a wake-up that was lost. */
  readonly pollMs: number;
  claim(options: { readonly failing: boolean; readonly limit: number }): Promise<readonly Claim[]>;
  /** Sends and settles. */
  deliver(claim: Claim, signal: AbortSignal): Promise<unknown>;
  /** It is tried again after the poll. */
  onError(error: unknown): void;
}

export interface Dispatcher {
  /** Looks for what is due now. */
  wake(): void;
  /** Takes no more; what is under way has `graceMs` to end by itself. */
  stop(graceMs: number): Promise<void>;
}

export function startDispatcher<Claim>(options: DispatcherOptions<Claim>): Dispatcher {
  return new PollingDispatcher(options);
}

class PollingDispatcher<Claim> implements Dispatcher {
  readonly #options: DispatcherOptions<Claim>;
  readonly #failingMax: number;
  readonly #running = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  readonly #looping: Promise<void>;
  #failing = 0;
  #stopped = false;
  /** Since the last look there is a reason for another. */
  #woken = false;
  #rouse: (() => void) | undefined;

  constructor(options: DispatcherOptions<Claim>) {
    this.#options = options;
    this.#failingMax = Math.max(1, Math.floor(options.concurrency / 2));
    this.#looping = this.#loop();
  }

  wake(): void {
    this.#woken = true;
    this.#rouse?.();
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.wake();
    const timer = setTimeout(() => this.#ending.abort(), graceMs);
    await this.#looping;
    await Promise.all(this.#running);
    clearTimeout(timer);
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      this.#woken = false;
      if ((await this.#round()) === 0) await this.#rest();
    }
  }

  /** How many were begun. */
  async #round(): Promise<number> {
    const { concurrency } = this.#options;
    try {
      const healthy = await this.#take(false, concurrency - this.#running.size);
      const room = Math.min(concurrency - this.#running.size, this.#failingMax - this.#failing);
      return healthy + (await this.#take(true, room));
    } catch (error) {
      this.#options.onError(error);
      // Not at once: what failed may be in pain.
      this.#woken = false;
      return 0;
    }
  }

  async #take(failing: boolean, limit: number): Promise<number> {
    if (limit <= 0 || this.#stopped) return 0;
    const claims = await this.#options.claim({ failing, limit });
    for (const claim of claims) this.#begin(claim, failing);
    return claims.length;
  }

  #begin(claim: Claim, failing: boolean): void {
    if (failing) this.#failing += 1;
    const work = this.#run(claim).finally(() => {
      this.#running.delete(work);
      if (failing) this.#failing -= 1;
      this.wake();
    });
    this.#running.add(work);
  }

  async #run(claim: Claim): Promise<void> {
    try {
      await this.#options.deliver(claim, this.#ending.signal);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #rest(): Promise<void> {
    if (this.#woken || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#rouse = undefined;
        resolve();
      };
      const timer = setTimeout(done, this.#options.pollMs);
      timer.unref();
      this.#rouse = done;
    });
  }
}
