import { problemContentType } from '#core/errors/problem-type.ts';
import { toProblem, type ProblemPlace } from '../problem-details.ts';
import { RequestRefusal } from '../request-refusal.ts';
import type { RouteResponse } from '../route.ts';
import type { KeptAnswer } from './idempotency-store.ts';

/**
 * Answers that say "not now" or "not like this": the same request may be answered otherwise later. Time-outs and
 * processes that ended are among them, for nobody knows what became of the request: it is done again, and the handler
 * knows by the key what it has done.
 */
const passing: ReadonlySet<number> = new Set([408, 409, 412, 425, 429, 499, 502, 503, 504]);

/** Undefined when it is not kept. */
export function toKeptAnswer(response: RouteResponse, bytesMax: number): KeptAnswer | undefined {
  const { status, text, contentType, headers = {} } = response;
  if (passing.has(status) || response.stream !== undefined) return undefined;
  const isBodyKept = text === undefined || Buffer.byteLength(text) <= bytesMax;
  return { status, contentType: contentType ?? null, headers, body: isBodyKept ? (text ?? null) : null, isBodyKept };
}

/** A failure that will be answered as a problem, as the problem that it will be: what was begun and failed is kept. */
export function toFailedAnswer(error: unknown, place: ProblemPlace): RouteResponse {
  const problem = toProblem(error, place);
  return {
    status: problem.status,
    text: JSON.stringify(problem),
    contentType: problemContentType,
    ...(error instanceof RequestRefusal ? { headers: error.headers } : {}),
  };
}

export const replayedHeader = 'idempotent-replayed';

/** @throws {AppError} IDEMPOTENCY_ANSWER_NOT_KEPT */
export function toReplay({ status, contentType, headers, body, isBodyKept }: KeptAnswer): RouteResponse {
  if (!isBodyKept) {
    const message = `Cannot repeat the answer: it had status ${status} and was too large to keep; the request was done once`;
    const { location } = headers;
    throw new RequestRefusal(
      'IDEMPOTENCY_ANSWER_NOT_KEPT',
      message,
      location === undefined ? {} : { headers: { location } },
    );
  }
  return {
    status,
    ...(body === null ? {} : { text: body }),
    ...(contentType === null ? {} : { contentType }),
    headers: { ...headers, [replayedHeader]: 'true' },
  };
}
