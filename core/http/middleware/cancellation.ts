import type { ServerResponse } from 'node:http';
import type { HttpStep } from '../http-context.ts';

/** A request that is being answered: what the server needs to end it. */
export interface RequestInFlight {
  readonly controller: AbortController;
  readonly response: ServerResponse;
}

/**
 * A signal that is aborted when the client goes away before its answer is complete, or when the server stops for good.
 * A request with an idempotency key is carried through without its client, who asks again and gets the answer.
 */
export function cancellation(inFlight: Set<RequestInFlight>): HttpStep {
  return (ctx) => {
    const controller = new AbortController();
    const { res } = ctx;
    const request = { controller, response: res };
    res.once('close', () => {
      inFlight.delete(request);
      if (res.writableFinished) return;
      ctx.state.isAborted = true;
      if (ctx.state.idempotencyKey === undefined) controller.abort();
    });
    inFlight.add(request);
    ctx.state.signal = controller.signal;
    return undefined;
  };
}
