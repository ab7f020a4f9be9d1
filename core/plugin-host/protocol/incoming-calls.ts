import type { CallFrame } from './frame.ts';
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

  constructor(frame: CallFrame) {
    this.id = frame.id;
    this.method = frame.method;
    this.args = frame.args;
    this.traceparent = frame.traceparent;
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

export interface IncomingCalls {
  readonly size: number;
  readonly full: boolean;
  accept(frame: CallFrame): void;
  cancel(id: number, reason: Error): void;
  cancelAll(reason: Error): void;
  traceparents(): string[];
  /** Resolves when no call is being answered. */
  idle(): Promise<void>;
}

/** The calls that this side is answering: each id once at a time, never more than `callsInFlightMax`. */
export function createIncomingCalls(options: {
  readonly callsInFlightMax: number;
  readonly run: (call: IncomingCall) => unknown;
  readonly answer: (id: number, value: unknown) => void;
  readonly fail: (id: number, error: unknown) => void;
  /** A place became free. */
  readonly onSettled: () => void;
}): IncomingCalls {
  const calls = new Map<number, IncomingCall>();
  let waiters: (() => void)[] = [];

  function settle(call: IncomingCall): void {
    calls.delete(call.id);
    if (calls.size === 0 && waiters.length > 0) {
      for (const resolve of waiters) resolve();
      waiters = [];
    }
    options.onSettled();
  }

  async function run(call: IncomingCall): Promise<void> {
    try {
      const value = await options.run(call);
      if (!call.cancelled) options.answer(call.id, value);
    } catch (error) {
      if (!call.cancelled) options.fail(call.id, error);
    }
    settle(call);
  }

  return {
    get size() {
      return calls.size;
    },
    get full() {
      return calls.size >= options.callsInFlightMax;
    },
    accept(frame) {
      if (calls.has(frame.id)) throw new ProtocolViolation(`call ${frame.id} is already in flight`);
      const call = new IncomingCall(frame);
      calls.set(frame.id, call);
      void run(call);
    },
    cancel(id, reason) {
      calls.get(id)?.cancel(reason);
    },
    cancelAll(reason) {
      for (const call of calls.values()) call.cancel(reason);
    },
    traceparents: () => [...calls.values()].flatMap((call) => call.traceparent ?? []),
    idle: () => (calls.size === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  };
}
