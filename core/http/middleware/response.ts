import { toConditional, withEtag } from '../conditional-answer.ts';
import type { HttpContext, HttpStep, StepResult } from '../http-context.ts';
import type { Idempotency } from '../idempotency/idempotency.ts';
import { toKeyedRequest } from '../idempotency/keyed-request.ts';
import type { Budgets } from '../limits/budgets.ts';
import { answerCached, type Answer, type ResponseCache } from '../response-cache.ts';
import type { RouteRequest, RouteResponse } from '../route.ts';
import { sendAnswer } from '../send-answer.ts';
import { createStreamSender, type StreamedResponse, type StreamSenderOptions } from '../send-stream.ts';

export interface ResponseOptions extends StreamSenderOptions {
  readonly responseCache: ResponseCache;
  /** @default a key is handed over, and nothing is kept */
  readonly idempotency?: Idempotency | undefined;
  /** @default partners have no budgets */
  readonly budgets?: Budgets | undefined;
}

/** The end of the line: runs the route, or finds what it answered before, and sends it. */
export function response(options: ResponseOptions): HttpStep {
  const { idempotency, budgets, responseCache } = options;
  const sendStream = createStreamSender(options);
  const runRoute: Answer = async (request, route) => {
    const answer = await route.run(request, route);
    return route.verb === 'GET' ? withEtag(answer) : answer;
  };
  const answerRoute = answerCached(responseCache, runRoute);
  const run = (ctx: HttpContext): Promise<RouteResponse> | RouteResponse => {
    const answer = (): Promise<RouteResponse> | RouteResponse => answerRoute(toRequest(ctx), ctx.state.route);
    const { budget, upload } = ctx.state.route;
    // Of lines each has been counted by itself.
    return budgets !== undefined && budget !== undefined && upload?.as !== 'lines'
      ? runWithin(ctx, budgets, answer)
      : answer();
  };
  return async (ctx): Promise<StepResult> => {
    const { idempotencyKey: key, route } = ctx.state;
    const answer =
      key === undefined || idempotency === undefined
        ? await run(ctx)
        : await idempotency.run(toKeyedRequest(ctx, key), async () => run(ctx));
    if (answer.stream !== undefined) await sendStream(ctx, answer as StreamedResponse);
    else if (route.verb === 'GET') sendAnswer(ctx, toConditional(answer, ctx.req.headers['if-none-match']));
    else sendAnswer(ctx, answer);
    return 'answered';
  };
}

function toRequest({ state, req, path }: HttpContext): RouteRequest {
  return {
    principal: state.principal,
    scopes: state.scopes,
    params: state.params,
    query: state.query,
    body: state.body ?? null,
    upload: state.upload,
    headers: req.headers,
    path,
    id: state.id,
    signal: state.signal,
  };
}

/** A success costs one of the partner's budget of the day; what was refused or failed costs nothing. */
async function runWithin(
  ctx: HttpContext,
  budgets: Budgets,
  run: () => Promise<RouteResponse> | RouteResponse,
): Promise<RouteResponse> {
  const { route, principal } = ctx.state;
  const { budget } = route;
  if (budget === undefined || principal.role !== 'partner') return run();
  await budgets.spend(principal.id, budget);
  let isSuccess = false;
  try {
    const answer = await run();
    isSuccess = answer.status < 300;
    return answer;
  } finally {
    if (!isSuccess) budgets.giveBack(principal.id, budget);
  }
}
