import type { HttpContext, HttpStep, StepResult } from '../http-context.ts';
import type { RouteResponse } from '../route.ts';

const json = 'application/json; charset=utf-8';

/** The end of the line: runs the route and sends what it answers. */
export function response(): HttpStep {
  return async (ctx): Promise<StepResult> => {
    const { state } = ctx;
    send(
      ctx,
      await state.route.run(
        {
          principal: state.principal,
          params: state.params,
          query: state.query,
          body: state.body ?? null,
          headers: ctx.req.headers,
          path: ctx.path,
          id: state.id,
          signal: state.signal,
        },
        state.route,
      ),
    );
    return 'answered';
  };
}

function send(ctx: HttpContext, answer: RouteResponse): void {
  ctx.status = answer.status;
  for (const name in answer.headers) ctx.res.setHeader(name, answer.headers[name] ?? '');
  if (answer.text === undefined) {
    ctx.body = null;
    // Setting a null body makes Koa answer 204 whatever the status was.
    ctx.status = answer.status;
    return;
  }
  ctx.res.setHeader('content-type', answer.contentType ?? json);
  ctx.body = answer.text;
}
