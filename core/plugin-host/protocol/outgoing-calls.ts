import { AppError } from '#core/errors/app-error.ts';
import { Deadlines } from './deadlines.ts';
import type { CallFrame, Origin } from './frame.ts';
import { ProtocolViolation } from './protocol-violation.ts';

export interface CallOptions extends Origin {
  /** @default callTimeoutMs */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Knows the parent of what the other side does, while it answers, for another trace than the call's. */
  readonly trace?: { continue(traceparent: string): string } | undefined;
}

export interface OutgoingCallsOptions {
  readonly callsInFlightMax: number;
  readonly callsQueuedMax: number;
  readonly callTimeoutMs: number;
  /** False while the other side does not read. */
  readonly writable: () => boolean;
  readonly send: (frame: CallFrame | { t: 'cancel'; id: number }) => void;
}

interface PendingCall {
  readonly id: number;
  readonly frame: CallFrame;
  readonly patienceMs: number;
  readonly deadlineMs: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal | undefined;
  readonly trace: CallOptions['trace'];
  onAbort: (() => void) | undefined;
  sent: boolean;
}

/** Answers that may still come for calls that this side has given up. */
const lateAnswersMax = 10_000;

/** The calls that this side waits for. Above `callsInFlightMax` they wait in a queue of `callsQueuedMax`. */
export class OutgoingCalls {
  readonly #options: OutgoingCallsOptions;
  readonly #pending = new Map<number, PendingCall>();
  /** With the traceparent of each. */
  readonly #late = new Map<number, string | undefined>();
  readonly #deadlines = new Deadlines<PendingCall>(
    () => this.#pending.values(),
    (call) => this.#expire(call),
  );
  /** Calls that wait, from `#next` on. */
  #queue: PendingCall[] = [];
  #next = 0;
  #inFlight = 0;
  #nextId = 1;

  constructor(options: OutgoingCallsOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get queued(): number {
    return this.#queue.length - this.#next;
  }

  call(method: string, args: unknown, options: CallOptions): Promise<unknown> {
    const { timeoutMs, signal, within, traceparent, trace } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const waiting = this.#pending.size - this.#inFlight;
    if (waiting >= this.#options.callsQueuedMax) {
      const what = `${this.#inFlight} calls are in flight and ${waiting} wait`;
      return Promise.reject(new AppError('OVERLOADED', `Cannot call ${method}: ${what}`));
    }
    const patienceMs = timeoutMs ?? this.#options.callTimeoutMs;
    const id = this.#nextId++;
    const frame: CallFrame = { t: 'call', id, method, args, within, traceparent, timeoutMs };
    return new Promise((resolve, reject) => {
      const deadlineMs = performance.now() + patienceMs;
      const waiter = { resolve, reject, signal, trace, onAbort: undefined, sent: false };
      this.#start({ id, frame, patienceMs, deadlineMs, ...waiter });
    });
  }

  /** @throws {ProtocolViolation} when nobody waits for this answer and nobody ever did */
  answer(id: number, value: unknown): void {
    this.#take(id)?.resolve(value);
  }

  /** @throws {ProtocolViolation} as `answer()` */
  fail(id: number, error: unknown): void {
    this.#take(id)?.reject(error);
  }

  /** Rejects all, sent or waiting. */
  failAll(error: Error): void {
    this.#queue = [];
    this.#next = 0;
    this.#deadlines.stop();
    for (const call of this.#pending.values()) {
      this.#finish(call);
      call.reject(error);
    }
    this.#late.clear();
  }

  /** Sends what waits, as far as there is room. */
  sendQueued(): void {
    while (this.queued > 0 && this.#hasRoom()) {
      const call = this.#queue[this.#next];
      this.#next += 1;
      if (call !== undefined && this.#pending.has(call.id)) this.#send(call);
    }
    if (this.queued === 0 || this.#next > this.#options.callsQueuedMax) {
      this.#queue = this.#queue.slice(this.#next);
      this.#next = 0;
    }
  }

  /** Of a call that the other side may still be answering; for another trace, if it carries one on. */
  traceparentOf(id: number, continued?: string): string | undefined {
    const call = this.#pending.get(id);
    if (continued === undefined) return call?.frame.traceparent ?? this.#late.get(id);
    return call === undefined ? continued : (call.trace?.continue(continued) ?? call.frame.traceparent);
  }

  traceparents(): string[] {
    return [...this.#pending.values()].flatMap((call) => call.frame.traceparent ?? []);
  }

  #start(call: PendingCall): void {
    const { signal } = call;
    this.#pending.set(call.id, call);
    this.#deadlines.add(call);
    if (signal !== undefined) {
      call.onAbort = () => this.#giveUp(call, signal.reason);
      signal.addEventListener('abort', call.onAbort, { once: true });
    }
    if (this.queued === 0 && this.#hasRoom()) this.#send(call);
    else this.#enqueue(call);
  }

  #hasRoom(): boolean {
    return this.#inFlight < this.#options.callsInFlightMax && this.#options.writable();
  }

  #send(call: PendingCall): void {
    try {
      this.#options.send(call.frame);
      call.sent = true;
      this.#inFlight += 1;
    } catch (error) {
      this.#finish(call);
      const what = error instanceof Error ? error.message : String(error);
      call.reject(new AppError('INVALID_CALL', `Cannot call ${call.frame.method}: ${what}`, { cause: error }));
    }
  }

  /** A call that was given up while it waited stays in the queue until its turn; now and then they are swept out. */
  #enqueue(call: PendingCall): void {
    if (this.queued >= 2 * this.#options.callsQueuedMax) {
      this.#queue = this.#queue.slice(this.#next).filter((waiting) => this.#pending.has(waiting.id));
      this.#next = 0;
    }
    this.#queue.push(call);
  }

  #take(id: number): PendingCall | undefined {
    const call = this.#pending.get(id);
    if (call?.sent === true) {
      this.#finish(call);
      if (this.queued > 0) this.sendQueued();
      return call;
    }
    if (!this.#late.delete(id)) throw new ProtocolViolation(`it answers call ${id}, which does not exist`);
    return undefined;
  }

  #finish(call: PendingCall): void {
    this.#pending.delete(call.id);
    if (this.#pending.size === 0) this.#deadlines.rest();
    if (call.onAbort !== undefined) call.signal?.removeEventListener('abort', call.onAbort);
    if (call.sent) this.#inFlight -= 1;
  }

  #expire(call: PendingCall): void {
    const what = `no answer within ${call.patienceMs} ms`;
    this.#giveUp(call, new AppError('TIMEOUT', `Cannot finish ${call.frame.method}: ${what}`));
  }

  /** Nobody waits any longer; the receiver is told, and an answer that crosses the cancellation is let pass. */
  #giveUp(call: PendingCall, error: unknown): void {
    if (!this.#pending.has(call.id)) return;
    if (call.sent) {
      if (this.#late.size >= lateAnswersMax) this.#late.delete(this.#late.keys().next().value ?? 0);
      this.#late.set(call.id, call.frame.traceparent);
      this.#options.send({ t: 'cancel', id: call.id });
    }
    this.#finish(call);
    if (this.queued > 0) this.sendQueued();
    call.reject(error);
  }
}
