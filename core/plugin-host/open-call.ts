import type { Span } from '@opentelemetry/api';
import { AppError } from '#core/errors/app-error.ts';
import { follow } from '#core/telemetry/follow.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { Access, Call } from './capability.ts';

/** Who made the call. */
export interface Caller {
  /** Has `listener` called once, when nobody waits for the answer any longer: at once when that is so already. */
  onCancel(listener: () => void): void;
}

export interface OpenCallOptions {
  readonly capability: string;
  readonly instance: PluginInstance;
  readonly span: Span;
  readonly timeoutMs: number;
  readonly caller: Caller;
  readonly authorize: (instance: PluginInstance, access: Access) => void;
}

/**
 * A call that passed the door, while it runs. It ends when it takes too long, whatever it waits for, and when nobody
 * waits for it any longer.
 *
 * Nothing is made before it is needed: a call that is answered at once costs no timer and no signal, and one whose
 * capability does not ask for the signal no controller. Those are most of what a small call would cost.
 */
export class OpenCall implements Call {
  readonly deadlineMs: number;
  readonly #options: OpenCallOptions;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #error: AppError | undefined;
  #reject: ((error: AppError) => void) | undefined;

  constructor(options: OpenCallOptions) {
    this.#options = options;
    this.deadlineMs = Date.now() + options.timeoutMs;
  }

  get instance(): PluginInstance {
    return this.#options.instance;
  }

  get span(): Span {
    return this.#options.span;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      this.#start();
    }
    return this.#controller.signal;
  }

  check(access: Access): void {
    this.#options.authorize(this.#options.instance, access);
  }

  /** What the call comes to, unless its time is over first. @throws {AppError} TIMEOUT, CANCELLED */
  settle(run: (call: Call) => unknown): unknown {
    return follow(
      () => {
        const result = run(this);
        return result instanceof Promise ? this.#orEnd(result) : result;
      },
      () => this.#stop(),
    );
  }

  #orEnd(work: Promise<unknown>): Promise<unknown> {
    this.#start();
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      if (this.#error !== undefined) reject(this.#error);
      // eslint-disable-next-line promise/prefer-await-to-then -- whichever is first counts; the other comes to nothing
      work.then(resolve, reject);
    });
  }

  #start(): void {
    if (this.#timer !== undefined) return;
    const { caller, timeoutMs } = this.#options;
    this.#timer = setTimeout(() => this.#expire(), timeoutMs);
    caller.onCancel(() => this.#cancel());
  }

  #stop(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
  }

  #expire(): void {
    const { capability, timeoutMs } = this.#options;
    this.#end(new AppError('TIMEOUT', `Cannot finish ${capability}: it took longer than ${timeoutMs} ms`));
  }

  #cancel(): void {
    this.#end(new AppError('CANCELLED', `Cannot finish ${this.#options.capability}: the caller no longer waits`));
  }

  #end(error: AppError): void {
    this.#error ??= error;
    this.#controller?.abort(error);
    this.#reject?.(error);
  }
}
