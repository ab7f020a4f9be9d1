import { toConditional, withEtag } from '../conditional-answer.ts';
import type { HttpContext, HttpStep, StepResult } from '../http-context.ts';
import type { Idempotency } from '../idempotency/idempotency.ts';
import { toKeyedRequest } from '../idempotency/keyed-request.ts';
import type { BudgetName } from '../limits/budget-name.ts';
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
  const answerRoute = answerCached(responseCache, async (request, route) => {
    const answer = await route.run(request, route);
    return route.verb === 'GET' ? withEtag(answer) : answer;
  });
  const answer = (ctx: HttpContext): Answer => {
    const { route, principal } = ctx.state;
    const asked = (): Answer => answerRoute(toRequest(ctx), route);
    const { budget, upload } = route;
    // Of lines each has been counted by itself.
    if (budgets === undefined || budget === undefined || upload?.as === 'lines' || principal.role !== 'partner')
      return asked();
    return () => spending(budgets, { partnerId: principal.id, budget }, asked);
  };
  const answerOnce = (ctx: HttpContext): Answer => {
    const { idempotencyKey: key } = ctx.state;
    if (key === undefined || idempotency === undefined) return answer(ctx);
    return () => idempotency.run(toKeyedRequest(ctx, key), () => obtain(answer(ctx)));
  };
  return (ctx) => {
    const found = answerOnce(ctx);
    if (typeof found !== 'function') return send(ctx, found);
    return async () => {
      const got = await found();
      if (got.stream === undefined) return send(ctx, got);
      await sendStream(ctx, got as StreamedResponse);
      return 'answered';
    };
  };
}

const obtain = async (answer: Answer): Promise<RouteResponse> => (typeof answer === 'function' ? answer() : answer);

function send(ctx: HttpContext, answer: RouteResponse): StepResult {
  const isRead = ctx.state.route.verb === 'GET';
  sendAnswer(ctx, isRead ? toConditional(answer, ctx.req.headers['if-none-match']) : answer);
  return 'answered';
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
async function spending(
  budgets: Budgets,
  { partnerId, budget }: { readonly partnerId: string; readonly budget: BudgetName },
  asked: () => Answer,
): Promise<RouteResponse> {
  await budgets.spend(partnerId, budget);
  let isSuccess = false;
  try {
    const answer = await obtain(asked());
    isSuccess = answer.status < 300;
    return answer;
  } finally {
    if (!isSuccess) budgets.giveBack(partnerId, budget);
  }
}
