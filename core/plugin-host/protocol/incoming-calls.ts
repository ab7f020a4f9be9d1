import type { CallFrame, Origin } from './frame.ts';
import { ProtocolViolation } from './protocol-violation.ts';

/** A call of the other side while it is being answered. */
export class IncomingCall {
  readonly id: number;
  readonly method: string;
  readonly args: unknown;
  readonly traceparent: string | undefined;
  readonly timeoutMs: number | undefined;
  #controller: AbortController | undefined;
  #onCancel: (() => void) | undefined;
  #reason: Error | undefined;
  #settled = false;

  constructor(frame: CallFrame, traceparent: string | undefined) {
    this.id = frame.id;
    this.method = frame.method;
    this.args = frame.args;
    this.traceparent = traceparent;
    this.timeoutMs = frame.timeoutMs;
  }

  /** Made when first asked for: most calls need none, and it is a notable part of what a small call costs. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Has `listener` called once, when the other side no longer waits: at once when that is so already. The last one counts. */
  onCancel(listener: () => void): void {
    if (this.cancelled) listener();
    else this.#onCancel = listener;
  }

  /** How a call that is made for this one names it: the other side forgets it with the answer. */
  get origin(): Origin {
    return this.#settled ? { traceparent: this.traceparent } : { within: this.id };
  }

  settled(): void {
    this.#settled = true;
  }

  get cancelled(): boolean {
    return this.#reason !== undefined;
  }

  cancel(reason: Error): void {
    if (this.cancelled) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.#onCancel?.();
  }
}

export interface IncomingCallsOptions {
  readonly callsInFlightMax: number;
  readonly run: (call: IncomingCall) => unknown;
  readonly answer: (id: number, value: unknown) => void;
  readonly fail: (id: number, error: unknown) => void;
  /** A place became free. */
  readonly onSettled: () => void;
}

/** The calls that this side is answering: each id once at a time, never more than `callsInFlightMax`. */
export class IncomingCalls {
  readonly #options: IncomingCallsOptions;
  readonly #calls = new Map<number, IncomingCall>();
  #waiters: (() => void)[] = [];

  constructor(options: IncomingCallsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#calls.size;
  }

  get full(): boolean {
    return this.#calls.size >= this.#options.callsInFlightMax;
  }

  /** What needs no waiting is answered without a promise, before the next call is looked at. */
  accept(frame: CallFrame, traceparent: string | undefined): void {
    if (this.#calls.has(frame.id)) throw new ProtocolViolation(`call ${frame.id} is already in flight`);
    const call = new IncomingCall(frame, traceparent);
    this.#calls.set(frame.id, call);
    let result: unknown;
    try {
      result = this.#options.run(call);
    } catch (error) {
      return this.#fail(call, error);
    }
    if (result instanceof Promise) void this.#answerLater(call, result);
    else this.#answer(call, result);
  }

  cancel(id: number, reason: Error): void {
    this.#calls.get(id)?.cancel(reason);
  }

  cancelAll(reason: Error): void {
    for (const call of this.#calls.values()) call.cancel(reason);
  }

  traceparents(): string[] {
    return [...this.#calls.values()].flatMap((call) => call.traceparent ?? []);
  }

  /** Resolves when no call is being answered. */
  idle(): Promise<void> {
    return this.#calls.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  async #answerLater(call: IncomingCall, work: Promise<unknown>): Promise<void> {
    let value: unknown;
    try {
      value = await work;
    } catch (error) {
      return this.#fail(call, error);
    }
    this.#answer(call, value);
  }

  #answer(call: IncomingCall, value: unknown): void {
    if (!call.cancelled) this.#options.answer(call.id, value);
    this.#settle(call);
  }

  #fail(call: IncomingCall, error: unknown): void {
    if (!call.cancelled) this.#options.fail(call.id, error);
    this.#settle(call);
  }

  #settle(call: IncomingCall): void {
    call.settled();
    this.#calls.delete(call.id);
    if (this.#calls.size === 0 && this.#waiters.length > 0) {
      for (const resolve of this.#waiters) resolve();
      this.#waiters = [];
    }
    this.#options.onSettled();
  }
}
