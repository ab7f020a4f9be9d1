import { AppError } from '#core/errors/app-error.ts';
import type { CallFrame } from './frame.ts';
import { ProtocolViolation } from './protocol-violation.ts';

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly traceparent?: string;
}

interface PendingCall {
  readonly id: number;
  readonly frame: CallFrame;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal | undefined;
  timer: NodeJS.Timeout | undefined;
  onAbort: (() => void) | undefined;
  sent: boolean;
}

/** Answers that may still come for calls that this side has given up. */
const lateAnswersMax = 10_000;

export interface OutgoingCalls {
  readonly inFlight: number;
  readonly queued: number;
  call(method: string, args: unknown, options: CallOptions): Promise<unknown>;
  /** @throws {ProtocolViolation} when nobody waits for this answer and nobody ever did */
  answer(id: number, value: unknown): void;
  fail(id: number, error: unknown): void;
  /** Rejects all, sent or waiting. */
  failAll(error: Error): void;
  /** Sends what waits, as far as there is room. */
  sendQueued(): void;
  traceparents(): string[];
}

/** The calls that this side waits for. Above `callsInFlightMax` they wait in a queue of `callsQueuedMax`. */
export function createOutgoingCalls(options: {
  readonly callsInFlightMax: number;
  readonly callsQueuedMax: number;
  readonly callTimeoutMs: number;
  /** False while the other side does not read. */
  readonly writable: () => boolean;
  readonly send: (frame: CallFrame | { t: 'cancel'; id: number }) => void;
}): OutgoingCalls {
  const pending = new Map<number, PendingCall>();
  const late = new Set<number>();
  let queue: PendingCall[] = [];
  let inFlight = 0;
  let nextId = 1;

  function finish(call: PendingCall): void {
    pending.delete(call.id);
    if (call.timer !== undefined) clearTimeout(call.timer);
    if (call.onAbort !== undefined) call.signal?.removeEventListener('abort', call.onAbort);
    if (call.sent) inFlight -= 1;
    if (queue.length > 0) sendQueued();
  }

  /** Nobody waits any longer; the receiver is told, and an answer that crosses the cancellation is let pass. */
  function giveUp(call: PendingCall, error: unknown): void {
    if (call.sent) {
      if (late.size >= lateAnswersMax) late.delete(late.values().next().value ?? 0);
      late.add(call.id);
      options.send({ t: 'cancel', id: call.id });
    }
    finish(call);
    call.reject(error);
  }

  function send(call: PendingCall): void {
    try {
      options.send(call.frame);
      call.sent = true;
      inFlight += 1;
    } catch (error) {
      finish(call);
      const what = error instanceof Error ? error.message : String(error);
      call.reject(new AppError('INVALID_CALL', `Cannot call ${call.frame.method}: ${what}`, { cause: error }));
    }
  }

  function sendQueued(): void {
    while (queue.length > 0 && inFlight < options.callsInFlightMax && options.writable()) {
      const waiting = queue;
      queue = [];
      for (const [index, call] of waiting.entries()) {
        if (inFlight >= options.callsInFlightMax || !options.writable()) {
          queue = waiting.slice(index);
          break;
        }
        if (pending.has(call.id)) send(call);
      }
    }
  }

  /** A call that was given up while it waited stays in the queue until its turn; now and then they are swept out. */
  function enqueue(call: PendingCall): void {
    if (queue.length >= 2 * options.callsQueuedMax) queue = queue.filter((waiting) => pending.has(waiting.id));
    queue.push(call);
  }

  function take(id: number): PendingCall | undefined {
    const call = pending.get(id);
    if (call?.sent === true) {
      finish(call);
      return call;
    }
    if (!late.delete(id)) throw new ProtocolViolation(`it answers call ${id}, which does not exist`);
    return undefined;
  }

  function watch(call: PendingCall, timeoutMs: number): void {
    call.timer = setTimeout(() => {
      giveUp(call, new AppError('TIMEOUT', `Cannot finish ${call.frame.method}: no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    if (call.signal === undefined) return;
    call.onAbort = () => giveUp(call, call.signal?.reason);
    call.signal.addEventListener('abort', call.onAbort, { once: true });
  }

  return {
    get inFlight() {
      return inFlight;
    },
    get queued() {
      return queue.length;
    },
    call(method, args, { timeoutMs = options.callTimeoutMs, signal, traceparent }) {
      if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
      return new Promise((resolve, reject) => {
        const waiting = pending.size - inFlight;
        if (waiting >= options.callsQueuedMax) {
          const what = `${inFlight} calls are in flight and ${waiting} wait`;
          reject(new AppError('OVERLOADED', `Cannot call ${method}: ${what}`));
          return;
        }
        const id = nextId++;
        const trace = traceparent === undefined ? {} : { traceparent };
        const frame: CallFrame = { t: 'call', id, method, args, ...trace, timeoutMs };
        const call: PendingCall = {
          id,
          frame,
          resolve,
          reject,
          signal,
          timer: undefined,
          onAbort: undefined,
          sent: false,
        };
        pending.set(id, call);
        watch(call, timeoutMs);
        if (inFlight < options.callsInFlightMax && queue.length === 0 && options.writable()) send(call);
        else enqueue(call);
      });
    },
    answer: (id, value) => take(id)?.resolve(value),
    fail: (id, error) => take(id)?.reject(error),
    failAll(error) {
      queue = [];
      for (const call of pending.values()) {
        finish(call);
        call.reject(error);
      }
      late.clear();
    },
    sendQueued,
    traceparents: () => [...pending.values()].flatMap((call) => call.frame.traceparent ?? []),
  };
}
