import { AppError } from '#core/errors/app-error.ts';
import type { HttpContext, HttpMiddleware, HttpStep } from '../http-context.ts';
import { problemContentType } from '#core/errors/problem-type.ts';
import { discardRest } from '../discard-rest.ts';
import { toProblem } from '../problem-details.ts';
import { RequestRefusal } from '../request-refusal.ts';
import { sendAnswer } from '../send-answer.ts';

/** Takes the steps and turns whatever they throw into problem details; what failed stands in the line about the request. */
export function problems(steps: readonly HttpStep[]): HttpMiddleware {
  return async (ctx) => {
    try {
      for (const step of steps) {
        const result = step(ctx);
        if ((result instanceof Promise ? await result : result) === 'answered') return;
      }
    } catch (error) {
      // Whoever read the body reads no more: what is left of it can be discarded.
      ctx.state.upload?.end();
      answer(ctx, error);
    } finally {
      finishUpload(ctx);
    }
  };
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

function answer(ctx: HttpContext, error: unknown): void {
  const { id } = ctx.state;
  const problem = toProblem(error, { instance: ctx.path.slice(0, 512), traceId: id });
  ctx.state.errorCode = problem.code;
  if (ctx.res.headersSent) {
    cut(ctx, error);
    return;
  }
  if (problem.code === 'CANCELLED') {
    ctx.state.isAborted = true;
    // Nobody reads the answer. 499 is no registered status: Koa would refuse it.
    ctx.status = 408;
    return;
  }
  if (problem.status >= 500) {
    ctx.state.failure = { error, isTemporary: error instanceof AppError && problem.status === 503 };
  }
  sendAnswer(ctx, {
    status: problem.status,
    text: JSON.stringify(problem),
    contentType: problemContentType,
    headers: {
      ...(error instanceof RequestRefusal ? error.headers : {}),
      // What is left of a body that was not read would be taken for the next request.
      ...(ctx.req.complete ? {} : { connection: 'close' }),
    },
  });
}

/** A stream that failed: an answer can no longer be an error, but it can be seen to be incomplete. */
function cut(ctx: HttpContext, error: unknown): void {
  ctx.res.destroy();
  if (ctx.state.errorCode === 'CANCELLED') {
    ctx.state.isAborted = true;
    return;
  }
  ctx.state.isCut = true;
  ctx.state.failure = { error, isTemporary: true };
}
