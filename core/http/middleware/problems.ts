import { AppError } from '#core/errors/app-error.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { HttpContext, HttpMiddleware, HttpStep } from '../http-context.ts';
import { problemContentType } from '#core/errors/problem-type.ts';
import { discardRest } from '../discard-rest.ts';
import { toProblem } from '../problem-details.ts';
import { RequestRefusal } from '../request-refusal.ts';
import { sendAnswer } from '../send-answer.ts';

/** Takes the steps and turns whatever they throw into problem details. The one place that logs a request's failure. */
export function problems(logger: Logger, steps: readonly HttpStep[]): HttpMiddleware {
  return async (ctx) => {
    try {
      for (const step of steps) {
        const result = step(ctx);
        if ((result instanceof Promise ? await result : result) === 'answered') return;
      }
    } catch (error) {
      // Whoever read the body reads no more: what is left of it can be discarded.
      ctx.state.upload?.end();
      answer(ctx, error, logger);
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

function answer(ctx: HttpContext, error: unknown, logger: Logger): void {
  const { match, id } = ctx.state;
  const problem = toProblem(error, { instance: ctx.path.slice(0, 512), traceId: id });
  ctx.state.errorCode = problem.code;
  if (ctx.res.headersSent) {
    cut(ctx, error, logger);
    return;
  }
  if (problem.code === 'CANCELLED') {
    ctx.state.isAborted = true;
    // Nobody reads the answer. 499 is no registered status: Koa would refuse it.
    ctx.status = 408;
    return;
  }
  if (problem.status >= 500) {
    const route = match.kind === 'found' ? match.route.name : undefined;
    logger[error instanceof AppError && problem.status === 503 ? 'warn' : 'error'](
      { err: error, route, code: problem.code },
      'Request failed',
    );
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
function cut(ctx: HttpContext, error: unknown, logger: Logger): void {
  const { errorCode: code, route } = ctx.state;
  ctx.res.destroy();
  if (code === 'CANCELLED') {
    ctx.state.isAborted = true;
    return;
  }
  ctx.state.isCut = true;
  logger.warn({ err: error, route: route.name, code }, 'Stream cut off');
}
