import type Koa from 'koa';
import type { Principal } from '#plugin-api';
import type { RateLimitState } from './limits/rate-limit-state.ts';
import type { BodyStream } from './body/body-stream.ts';
import type { RouteMatch } from './route-table.ts';
import type { Route } from './route.ts';

/** What the middlewares hand on, in the order in which they fill it. */
export interface HttpState {
  match: RouteMatch;
  /** The trace id of the request. */
  id: string;
  /** The code of the error that was answered, if one was. */
  errorCode: string | undefined;
  /** What the server failed with, for the line about the request. */
  failure: { readonly error: unknown; readonly isTemporary: boolean } | undefined;
  /** The client went away before the answer. */
  isAborted: boolean;
  /** A streamed answer was cut off before it was complete, and not because the client went away. */
  isCut: boolean;
  /** When a streamed answer began, on the clock of `performance.now()`: the rest of its time is the client's. */
  streamBeganAtMs: number | undefined;
  /** Bytes of the answer's body that were given to the socket; undefined of an answer that did not leave. */
  sentBytes: number | undefined;
  route: Route;
  principal: Principal;
  /** Of an API key: what it may. */
  scopes: readonly string[] | undefined;
  /** For the headers of the answer. */
  rateLimit: RateLimitState | undefined;
  /** The header `Idempotency-Key`, where the route takes it. */
  idempotencyKey: string | undefined;
  /** SHA-256 of the body as it came, of a request with a key. */
  bodyHash: string | undefined;
  signal: AbortSignal;
  params: unknown;
  query: unknown;
  body: unknown;
  /** The body where it is read while the request is answered. */
  upload: BodyStream | undefined;
}

export type HttpContext = Koa.ParameterizedContext<HttpState>;
export type HttpMiddleware = Koa.Middleware<HttpState>;

/**
 * One step of answering a request; the next one follows unless it throws or has answered. A step that has to wait starts
 * nothing by itself and returns what does: what is refused, or answered from the cache, is spared that.
 */
export type HttpStep = (ctx: HttpContext) => StepResult | Waiting;
type Waiting = () => Promise<StepResult> | StepResult;
export type StepResult = 'answered' | undefined;
