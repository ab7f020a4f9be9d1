import type { HttpStep, StepResult } from '../http-context.ts';
import { sendAnswer } from '../send-answer.ts';
import { createStreamSender, type StreamedResponse, type StreamSenderOptions } from '../send-stream.ts';

/** The end of the line: runs the route and sends what it answers. */
export function response(options: StreamSenderOptions): HttpStep {
  const sendStream = createStreamSender(options);
  return async (ctx): Promise<StepResult> => {
    const { state } = ctx;
    const answer = await state.route.run(
      {
        principal: state.principal,
        params: state.params,
        query: state.query,
        body: state.body ?? null,
        upload: state.upload,
        headers: ctx.req.headers,
        path: ctx.path,
        id: state.id,
        signal: state.signal,
      },
      state.route,
    );
    if (answer.stream === undefined) sendAnswer(ctx, answer);
    else await sendStream(ctx, answer as StreamedResponse);
    return 'answered';
  };
}
