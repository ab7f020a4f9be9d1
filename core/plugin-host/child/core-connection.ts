import { AsyncLocalStorage } from 'node:async_hooks';
import { Socket } from 'node:net';
import { AppError } from '#core/errors/app-error.ts';
import type { HandlerCalls, PluginCalls, PluginNotes } from '../protocol/calls.ts';
import type { HandleArgs } from '../protocol/frame.ts';
import type { IncomingCall } from '../protocol/incoming-calls.ts';
import { createPeer } from '../protocol/peer.ts';
import type { ThreadBoot } from './boot.ts';
import { toPluginError } from './plugin-error.ts';

export type Handler = (input: never, call: { readonly signal: AbortSignal }) => unknown;

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
      call: { readonly signal: AbortSignal },
    ) => HandlerCalls[M]['result'] | Promise<HandlerCalls[M]['result']>,
  ): number;
  onStop(stop: () => Promise<void>): void;
  bootFailed(error: unknown): void;
}

export function connectCore(boot: ThreadBoot): CoreConnection {
  const handlers = new Map<number, Handler>();
  const trace = new AsyncLocalStorage<string | undefined>();
  let stopPlugin: () => Promise<void> = async () => {};
  const running = new Set<IncomingCall>();
  let onSettled = (): void => {};

  const peer = createPeer({
    stream: new Socket({ fd: 3, readable: true, writable: true }),
    ...boot.limits,
    exposeStack: true,
    onCall: (call) => trace.run(call.traceparent, answer, call),
    onNote: () => {},
    toError: toPluginError,
    onViolation: (violation) => {
      throw violation;
    },
    // The supervisor sees the core go as well, on its own descriptor, and ends the process.
    onClose: () => {},
  });

  async function answer(call: IncomingCall): Promise<unknown> {
    if (call.method === 'stop') return stop();
    if (call.method !== 'handle') throw new AppError('INVALID_CALL', `Cannot answer ${call.method}: no such method`);
    const { handler, input } = call.args as HandleArgs;
    const run = handlers.get(handler);
    if (run === undefined) throw new AppError('INVALID_CALL', `Cannot run handler ${handler}: it is not registered`);
    running.add(call);
    try {
      return await run(input as never, call);
    } finally {
      running.delete(call);
      onSettled();
    }
  }

  /** The core sends nothing new by now: what it still waits for is finished, then the plugin itself is stopped. */
  async function stop(): Promise<null> {
    for (const call of running) call.signal.addEventListener('abort', () => onSettled());
    await new Promise<void>((resolve) => {
      onSettled = () => {
        if ([...running].every((call) => call.cancelled)) resolve();
      };
      onSettled();
    });
    await stopPlugin();
    return null;
  }

  return {
    call: (method, args, options) =>
      peer.call(method, args, { ...options, ...traceparentOf(trace) }) as Promise<PluginCalls[typeof method]['result']>,
    note: (method, args) => peer.note(method, args, trace.getStore()),
    handler(_kind, run) {
      const number = handlers.size + 1;
      handlers.set(number, run as Handler);
      return number;
    },
    onStop(stop) {
      stopPlugin = stop;
    },
    bootFailed(error) {
      // Out of every promise, so that the supervisor reports it as the end of the thread.
      setImmediate(() => {
        throw error;
      });
    },
  };
}

function traceparentOf(trace: AsyncLocalStorage<string | undefined>): { traceparent?: string } {
  const traceparent = trace.getStore();
  return traceparent === undefined ? {} : { traceparent };
}
