import { discardRest } from '../discard-rest.ts';
import type { HttpContext, HttpMiddleware, HttpStep } from '../http-context.ts';
import type { ObservedRequest, ObserveRequest } from '../request-telemetry.ts';
import { sendProblem } from '../send-problem.ts';

/**
 * Takes the steps, observed from the first to the end of the answer, and turns whatever they throw into problem details. All of it
 * is one asynchronous function, since each one more costs a request a promise. A step is in the request's span while it
 * runs; a context that stays with what it starts costs much more, so only what has to be waited for has one.
 */
export function answering(observe: ObserveRequest, steps: readonly HttpStep[]): HttpMiddleware {
  const answer = async (ctx: HttpContext, observed: ObservedRequest): Promise<void> => {
    try {
      try {
        for (const step of steps) {
          const result = observed.runAtOnce(() => step(ctx));
          if ((typeof result === 'function' ? await observed.run(result) : result) === 'answered') break;
        }
      } catch (error) {
        // Whoever read the body reads no more: what is left of it can be discarded.
        ctx.state.upload?.end();
        sendProblem(ctx, error);
      } finally {
        finishUpload(ctx);
      }
      observed.answered(ctx);
    } catch (error) {
      observed.failed(error);
      throw error;
    }
  };
  return (ctx) => answer(ctx, observe(ctx));
}

/** The answer was complete before the body was: the connection is for the next request only if the rest comes soon. */
function finishUpload({ state, req, res }: HttpContext): void {
  if (state.upload === undefined) return;
  state.upload.end();
  if (req.complete || !res.writableEnded) return;
  discardRest(req, () => {
    if (!req.complete) req.socket.destroy();
  });
}
