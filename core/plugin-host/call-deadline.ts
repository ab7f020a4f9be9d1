import { AppError } from '#core/errors/app-error.ts';

/** Who made the call; its signal is made when it is first asked for. */
export interface Caller {
  readonly signal: AbortSignal;
}

/**
 * Ends a call that takes too long, whatever it waits for, and one that nobody waits for any longer.
 *
 * Nothing is made before it is needed: a call that is answered at once costs no timer and no signal, and one whose
 * capability does not ask for the signal no controller. Those are most of what a small call would cost.
 */
export class CallDeadline {
  readonly #capability: string;
  readonly #timeoutMs: number;
  readonly #caller: Caller;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #error: AppError | undefined;
  #reject: ((error: AppError) => void) | undefined;

  constructor(capability: string, timeoutMs: number, caller: Caller) {
    this.#capability = capability;
    this.#timeoutMs = timeoutMs;
    this.#caller = caller;
  }

  /** Aborted at the deadline and when the caller cancels. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      this.#start();
    }
    return this.#controller.signal;
  }

  /** What the call resolves to, unless its time is over first. @throws {AppError} TIMEOUT, CANCELLED */
  async settle(run: () => unknown): Promise<unknown> {
    try {
      const result = run();
      if (!(result instanceof Promise)) return result;
      this.#start();
      return await this.#orEnd(result);
    } finally {
      this.#stop();
    }
  }

  #orEnd(work: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      if (this.#error !== undefined) reject(this.#error);
      // eslint-disable-next-line promise/prefer-await-to-then -- whichever is first counts; the other comes to nothing
      work.then(resolve, reject);
    });
  }

  #start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(this.#expire, this.#timeoutMs);
    const { signal } = this.#caller;
    if (signal.aborted) this.#cancel();
    else signal.addEventListener('abort', this.#cancel, { once: true });
  }

  #stop(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#caller.signal.removeEventListener('abort', this.#cancel);
  }

  readonly #expire = (): void => {
    const what = `Cannot finish ${this.#capability}: it took longer than ${this.#timeoutMs} ms`;
    this.#end(new AppError('TIMEOUT', what));
  };

  readonly #cancel = (): void => {
    this.#end(new AppError('CANCELLED', `Cannot finish ${this.#capability}: the caller no longer waits`));
  };

  #end(error: AppError): void {
    this.#error ??= error;
    this.#controller?.abort(error);
    this.#reject?.(error);
  }
}
