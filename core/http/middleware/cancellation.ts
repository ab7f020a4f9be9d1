import type { HttpMiddleware } from '../http-context.ts';

/** A signal that is aborted when the client goes away before its answer is complete, or when the server stops for good. */
export function cancellation(inFlight: Set<AbortController>): HttpMiddleware {
  return async (ctx, next) => {
    const controller = new AbortController();
    const { res } = ctx;
    const onClose = (): void => {
      if (res.writableFinished) return;
      ctx.state.isAborted = true;
      controller.abort();
    };
    res.once('close', onClose);
    inFlight.add(controller);
    ctx.state.signal = controller.signal;
    try {
      await next();
    } finally {
      inFlight.delete(controller);
    }
  };
}
