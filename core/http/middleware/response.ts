import type { HttpStep, StepResult } from '../http-context.ts';
import { sendAnswer } from '../send-answer.ts';

/** The end of the line: runs the route and sends what it answers. */
export function response(): HttpStep {
  return async (ctx): Promise<StepResult> => {
    const { state } = ctx;
    sendAnswer(
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
