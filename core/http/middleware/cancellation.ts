import type { ServerResponse } from 'node:http';
import type { HttpMiddleware } from '../http-context.ts';

/** A request that is being answered: what the server needs to end it. */
export interface RequestInFlight {
  readonly controller: AbortController;
  readonly response: ServerResponse;
}

/** A signal that is aborted when the client goes away before its answer is complete, or when the server stops for good. */
export function cancellation(inFlight: Set<RequestInFlight>): HttpMiddleware {
  return async (ctx, next) => {
    const controller = new AbortController();
    const { res } = ctx;
    const onClose = (): void => {
      if (res.writableFinished) return;
      ctx.state.isAborted = true;
      controller.abort();
    };
    res.once('close', onClose);
    const request = { controller, response: res };
    inFlight.add(request);
    ctx.state.signal = controller.signal;
    try {
      await next();
    } finally {
      inFlight.delete(request);
    }
  };
}
