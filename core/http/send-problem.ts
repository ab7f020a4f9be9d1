import { AppError } from '#core/errors/app-error.ts';
import { problemContentType } from '#core/errors/problem-type.ts';
import type { HttpContext } from './http-context.ts';
import { toProblem } from './problem-details.ts';
import { RequestRefusal } from './request-refusal.ts';
import { sendAnswer } from './send-answer.ts';

/**
 * Answers with the problem details of what was thrown; what the server failed with stands in the line about the request. Where the
 * answer has begun it is cut off.
 */
export function sendProblem(ctx: HttpContext, error: unknown): void {
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
