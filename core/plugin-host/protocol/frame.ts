/**
 * What crosses descriptor 3 between the core and a plugin's thread: a 4-byte big-endian length, then one JSON frame or
 * an array of several that left together. Both sides speak the same frames; `call` is answered by exactly one `ok` or
 * `error` unless it was cancelled.
 */
import type { WireError } from '#core/errors/wire-error.ts';

export interface CallFrame {
  readonly t: 'call';
  /** Unique among the sender's calls in flight. */
  readonly id: number;
  /** `capability.method` towards the core (`db.query`); `handle`, `stop` or `cancel` towards the plugin. */
  readonly method: string;
  readonly args: unknown;
  /** The receiver's call that the sender is answering while it makes this one, whose span it continues. */
  readonly within?: number | undefined;
  /** W3C traceparent of the span that makes the call, where no such call is open; beside one, of a trace that it carries on. */
  readonly traceparent?: string | undefined;
  /** Milliseconds that the sender will wait; without it as long as both sides' limit says. */
  readonly timeoutMs?: number | undefined;
}

export interface OkFrame {
  readonly t: 'ok';
  readonly id: number;
  readonly value?: unknown;
}

export interface ErrorFrame {
  readonly t: 'error';
  readonly id: number;
  readonly error: WireError;
}

/** The sender no longer waits for this call; the receiver aborts it and sends nothing more about it. */
export interface CancelFrame {
  readonly t: 'cancel';
  readonly id: number;
}

/** One way, never answered: `log.write`, `metrics.record`. */
export interface NoteFrame {
  readonly t: 'note';
  readonly method: string;
  readonly args: unknown;
  readonly within?: number | undefined;
  readonly traceparent?: string | undefined;
}

/** Where a call or note comes from. */
export type Origin = Pick<CallFrame, 'within' | 'traceparent'>;

export type Frame = CallFrame | OkFrame | ErrorFrame | CancelFrame | NoteFrame;

/** The core asks the plugin to run a handler that it registered under this number. */
export interface HandleArgs {
  readonly handler: number;
  readonly input: unknown;
}
