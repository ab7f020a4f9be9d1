import { createHash } from 'node:crypto';
import type { HttpContext, HttpStep } from '../http-context.ts';
import { RequestRefusal } from '../request-refusal.ts';
import type { KeyedRequest } from './idempotency.ts';

const visible = /^[\x21-\x7e]{1,255}$/;

/**
 * Reads the header `Idempotency-Key` where the route takes it. Without one it costs a look at the route. A route that
 * sees to repetitions itself is handed nothing but a key that is one.
 */
export const idempotencyKey: HttpStep = (ctx) => {
  const { idempotency } = ctx.state.route;
  if (idempotency === undefined) return undefined;
  const key = ctx.req.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !visible.test(key)) {
    throw new RequestRefusal(
      'IDEMPOTENCY_KEY_INVALID',
      `Cannot ${ctx.state.route.name}: the header "Idempotency-Key" must be 1 to 255 visible characters of ASCII, such as a UUID`,
    );
  }
  if (idempotency === 'core') ctx.state.idempotencyKey = key;
  return undefined;
};

/**
 * The identity of a request with a key. Each text goes with its length, so that no two requests have the same one by
 * where one text ends and the next begins.
 */
export function toKeyedRequest(ctx: HttpContext, key: string): KeyedRequest {
  const { route, principal, bodyHash, id: traceId } = ctx.state;
  return {
    id: digest([principal.role, principal.id, route.name, key]),
    fingerprint: digest([ctx.method, ctx.path, ctx.querystring, bodyHash ?? '']),
    route: route.name,
    place: { instance: ctx.path.slice(0, 512), traceId },
  };
}

function digest(texts: readonly string[]): Buffer {
  return createHash('sha256').update(JSON.stringify(texts)).digest();
}
