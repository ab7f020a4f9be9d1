import type { HttpStep } from '../http-context.ts';
import { absent, unavailable } from '../unavailable.ts';
import { RequestRefusal } from '../request-refusal.ts';
import { sendAnswer } from '../send-answer.ts';

/** Finds the route or answers 404, 405 and OPTIONS. A route whose process is gone answers 503 at once. */
export function routing(unavailableRetrySeconds: number): HttpStep {
  return (ctx) => {
    const { match } = ctx.state;
    if (match.kind === 'none') {
      if (match.outage !== undefined) throw absent(ctx.path, match.outage);
      throw new RequestRefusal(
        'NOT_FOUND',
        `Cannot find "${ctx.path.slice(0, 200)}": no route has this path; /openapi.json lists them`,
      );
    }
    const isOptions = ctx.method === 'OPTIONS';
    if (match.kind === 'other-verb') {
      if (isOptions) {
        sendAnswer(ctx, { status: 204, headers: { allow: match.allow } });
        return 'answered';
      }
      throw new RequestRefusal(
        'METHOD_NOT_ALLOWED',
        `Cannot ${ctx.method.slice(0, 20)} "${match.template}": it takes ${match.allow}`,
        {
          headers: { allow: match.allow },
        },
      );
    }
    const { route } = match;
    if (route.owner.gone?.aborted === true) {
      const message = `Cannot answer "${route.name}": plugin "${route.owner.name}" is not running`;
      throw unavailable(route, { message, retryAfterSeconds: unavailableRetrySeconds });
    }
    ctx.state.route = route;
    return undefined;
  };
}
