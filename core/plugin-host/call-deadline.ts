import { AppError } from '#core/errors/app-error.ts';

export interface CallDeadline {
  /** Aborted at the deadline and when the caller cancels. */
  readonly signal: AbortSignal;
  /** Rejects with TIMEOUT or CANCELLED; never resolves. */
  readonly expired: Promise<never>;
  clear(): void;
}

/**
 * Ends a call that takes too long, whatever it waits for. One controller and one timer a call:
 * `AbortSignal.any` with `AbortSignal.timeout` costs several times as much on the hottest path of the core.
 */
export function startCallDeadline(capability: string, timeoutMs: number, caller: AbortSignal): CallDeadline {
  const controller = new AbortController();
  const { promise: expired, reject } = Promise.withResolvers<never>();
  // Nobody may be waiting any more when it rejects.
  expired.catch(() => undefined);
  function end(error: AppError): void {
    controller.abort(error);
    reject(error);
  }
  const timer = setTimeout(() => {
    end(new AppError('TIMEOUT', `Cannot finish ${capability}: it took longer than ${timeoutMs} ms`));
  }, timeoutMs);
  const cancel = (): void => end(new AppError('CANCELLED', `Cannot finish ${capability}: the caller no longer waits`));
  if (caller.aborted) cancel();
  else caller.addEventListener('abort', cancel, { once: true });
  return {
    signal: controller.signal,
    expired,
    clear() {
      clearTimeout(timer);
      caller.removeEventListener('abort', cancel);
    },
  };
}
