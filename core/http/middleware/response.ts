import type { HttpContext, HttpStep, StepResult } from '../http-context.ts';
import type { Idempotency } from '../idempotency/idempotency.ts';
import { toKeyedRequest } from '../idempotency/keyed-request.ts';
import type { Budgets } from '../limits/budgets.ts';
import type { RouteResponse } from '../route.ts';
import { sendAnswer } from '../send-answer.ts';
import { createStreamSender, type StreamedResponse, type StreamSenderOptions } from '../send-stream.ts';

export interface ResponseOptions extends StreamSenderOptions {
  /** @default a key is handed over, and nothing is kept */
  readonly idempotency?: Idempotency | undefined;
  /** @default partners have no budgets */
  readonly budgets?: Budgets | undefined;
}

/** The end of the line: runs the route, or repeats what it answered before, and sends it. */
export function response(options: ResponseOptions): HttpStep {
  const { idempotency, budgets } = options;
  const sendStream = createStreamSender(options);
  const run = (ctx: HttpContext): Promise<RouteResponse> | RouteResponse =>
    budgets !== undefined && ctx.state.route.budget !== undefined ? runWithin(ctx, budgets) : runRoute(ctx);
  return async (ctx): Promise<StepResult> => {
    const { idempotencyKey: key } = ctx.state;
    const answer =
      key === undefined || idempotency === undefined
        ? await run(ctx)
        : await idempotency.run(toKeyedRequest(ctx, key), async () => run(ctx));
    if (answer.stream === undefined) sendAnswer(ctx, answer);
    else await sendStream(ctx, answer as StreamedResponse);
    return 'answered';
  };
}

function runRoute({ state, req, path }: HttpContext): Promise<RouteResponse> | RouteResponse {
  return state.route.run(
    {
      principal: state.principal,
      scopes: state.scopes,
      params: state.params,
      query: state.query,
      body: state.body ?? null,
      headers: req.headers,
      path,
      id: state.id,
      signal: state.signal,
    },
    state.route,
  );
}

/** A success costs one of the partner's budget of the day; what was refused or failed costs nothing. */
async function runWithin(ctx: HttpContext, budgets: Budgets): Promise<RouteResponse> {
  const { route, principal } = ctx.state;
  const { budget } = route;
  if (budget === undefined || principal.role !== 'partner') return runRoute(ctx);
  await budgets.spend(principal.id, budget);
  let isSuccess = false;
  try {
    const answer = await runRoute(ctx);
    isSuccess = answer.status < 300;
    return answer;
  } finally {
    if (!isSuccess) budgets.giveBack(principal.id, budget);
  }
}
