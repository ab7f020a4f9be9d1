import { AppError } from '#core/errors/app-error.ts';
import type { HandleArgs } from '../protocol/frame.ts';
import type { IncomingCall } from '../protocol/incoming-calls.ts';

export type Handler = (input: never, call: Pick<IncomingCall, 'signal' | 'cancel' | 'timeoutMs'>) => unknown;

/** What the plugin registered, by the number under which the core calls it, and the calls that are running. */
export class Handlers {
  readonly #handlers: Handler[] = [];
  readonly #running = new Set<IncomingCall>();
  #stopPlugin: () => Promise<void> = async () => {};
  #onSettled = (): void => {};

  /** @returns its number */
  add(handler: Handler): number {
    return this.#handlers.push(handler);
  }

  onStop(stop: () => Promise<void>): void {
    this.#stopPlugin = stop;
  }

  async answer(call: IncomingCall): Promise<unknown> {
    if (call.method === 'stop') return this.#stop();
    if (call.method !== 'handle') throw new AppError('INVALID_CALL', `Cannot answer ${call.method}: no such method`);
    const { handler, input } = call.args as HandleArgs;
    const run = this.#handlers[handler - 1];
    if (run === undefined) throw new AppError('INVALID_CALL', `Cannot run handler ${handler}: it is not registered`);
    this.#running.add(call);
    try {
      return await run(input as never, call);
    } finally {
      this.#running.delete(call);
      this.#onSettled();
    }
  }

  /** The core sends nothing new by now: what it still waits for is finished, then the plugin itself is stopped. */
  async #stop(): Promise<null> {
    for (const call of this.#running) call.signal.addEventListener('abort', () => this.#onSettled());
    await new Promise<void>((resolve) => {
      this.#onSettled = () => {
        if ([...this.#running].every((call) => call.cancelled)) resolve();
      };
      this.#onSettled();
    });
    await this.#stopPlugin();
    return null;
  }
}
