import { toConditional, withEtag } from '../conditional-answer.ts';
import type { HttpStep, StepResult } from '../http-context.ts';
import { answerCached, type Answer, type ResponseCache } from '../response-cache.ts';
import { sendAnswer } from '../send-answer.ts';
import { createStreamSender, type StreamedResponse, type StreamSenderOptions } from '../send-stream.ts';

export interface ResponseOptions extends StreamSenderOptions {
  readonly responseCache: ResponseCache;
}

/** The end of the line: runs the route, or finds what it answered before, and sends it. */
export function response(options: ResponseOptions): HttpStep {
  const sendStream = createStreamSender(options);
  const run: Answer = async (request, route) => {
    const answer = await route.run(request, route);
    return route.verb === 'GET' ? withEtag(answer) : answer;
  };
  const answerRoute = answerCached(options.responseCache, run);
  return async (ctx): Promise<StepResult> => {
    const { state } = ctx;
    const answer = await answerRoute(
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
    );
    if (answer.stream !== undefined) await sendStream(ctx, answer as StreamedResponse);
    else if (state.route.verb === 'GET') sendAnswer(ctx, toConditional(answer, ctx.req.headers['if-none-match']));
    else sendAnswer(ctx, answer);
    return 'answered';
  };
}
