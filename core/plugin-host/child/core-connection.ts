import { AsyncLocalStorage } from 'node:async_hooks';
import { Socket } from 'node:net';
import type { HandlerCalls, PluginCalls, PluginNotes } from '../protocol/calls.ts';
import { isTraceparent } from '../protocol/frame-check.ts';
import type { Origin } from '../protocol/frame.ts';
import type { IncomingCall } from '../protocol/incoming-calls.ts';
import { createPeer } from '../protocol/peer.ts';
import type { ThreadBoot } from './boot.ts';
import { Handlers } from './handlers.ts';
import { toPluginError } from './plugin-error.ts';

/** What a handler knows of the call that it answers. */
export type HandlerCall = Pick<IncomingCall, 'signal' | 'cancel' | 'timeoutMs'>;

/** The typed way to the core. A call made while a handler runs joins the handler's trace. */
export interface CoreConnection {
  call<M extends keyof PluginCalls>(
    method: M,
    args: PluginCalls[M]['args'],
    options?: { readonly signal?: AbortSignal },
  ): Promise<PluginCalls[M]['result']>;
  note<M extends keyof PluginNotes>(method: M, args: PluginNotes[M]): void;
  /** The number under which the core calls this handler. */
  handler<M extends keyof HandlerCalls>(
    kind: M,
    run: (
      input: HandlerCalls[M]['input'],
      call: HandlerCall,
    ) => HandlerCalls[M]['result'] | Promise<HandlerCalls[M]['result']>,
  ): number;
  /** Of the handler's call in which this is asked; undefined outside of one. */
  traceId(): string | undefined;
  /** The same, with the span. */
  traceparent(): string | undefined;
  /** What `work` asks of the core belongs to that trace. Without one, or outside of a handler, nothing is different. */
  continueTrace<T>(traceparent: string | null, work: () => T): T;
  onStop(stop: () => Promise<void>): void;
  bootFailed(error: unknown): void;
}

type Answering = Pick<IncomingCall, 'origin' | 'traceparent'>;

/** A call that is being answered, in the trace that its handler carries on. */
class ContinuedCall implements Answering {
  readonly traceparent: string;
  readonly #call: Answering;

  constructor(call: Answering, traceparent: string) {
    this.#call = call;
    this.traceparent = traceparent;
  }

  get origin(): Origin {
    return { ...this.#call.origin, traceparent: this.traceparent };
  }
}

const traceIdOf = (traceparent: string | undefined): string | undefined => traceparent?.split('-')[1];

export function connectCore(boot: ThreadBoot): CoreConnection {
  const handlers = new Handlers();
  const answering = new AsyncLocalStorage<Answering>();
  const peer = createPeer({
    stream: new Socket({ fd: 3, readable: true, writable: true }),
    ...boot.limits,
    exposeStack: true,
    onCall: (call) => answering.run(call, () => handlers.answer(call)),
    onNote: () => {},
    toError: toPluginError,
    onViolation: (violation) => {
      throw violation;
    },
    // The supervisor sees the core go as well, on its own descriptor, and ends the process.
    onClose: () => {},
  });

  return {
    call: (method, args, options) =>
      peer.call(method, args, { ...answering.getStore()?.origin, signal: options?.signal }) as Promise<
        PluginCalls[typeof method]['result']
      >,
    note: (method, args) => peer.note(method, args, answering.getStore()?.origin),
    handler: (_kind, run) => handlers.add(run),
    // The peer has checked its form: `00-<trace>-<span>-<flags>`.
    traceId: () => traceIdOf(answering.getStore()?.traceparent),
    traceparent: () => answering.getStore()?.traceparent,
    continueTrace(traceparent, work) {
      const call = answering.getStore();
      if (call === undefined || traceparent === null || !isTraceparent(traceparent)) return work();
      if (traceIdOf(traceparent) === traceIdOf(call.traceparent)) return work();
      return answering.run(new ContinuedCall(call, traceparent), work);
    },
    onStop: (stop) => handlers.onStop(stop),
    bootFailed(error) {
      // Out of every promise, so that the supervisor reports it as the end of the thread.
      setImmediate(() => {
        throw error;
      });
    },
  };
}
