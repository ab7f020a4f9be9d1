import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Metrics } from '#core/telemetry/metrics.ts';
import { RequestRefusal } from '../request-refusal.ts';
import type { RouteResponse } from '../route.ts';
import type { ClaimOutcome, ClaimRequest, IdempotencyStore, KeptAnswer } from './idempotency-store.ts';
import { toKeptAnswer } from './kept-answer.ts';

export interface AnswerKeeperOptions {
  readonly store: IdempotencyStore;
  readonly config: Pick<Config, 'idempotencyAnswerMaxBytes'>;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** What is answered: a request by its id and parameters, and the name of its route. */
export interface AnsweredRequest {
  readonly id: Buffer;
  readonly fingerprint: Buffer;
  readonly route: string;
}

/** An answer that is kept, and to what. */
export interface KnownAnswer {
  readonly fingerprint: Buffer;
  readonly answer: KeptAnswer;
}

/** The store as requests use it: what fails there is told or counted here. */
export interface AnswerKeeper {
  /** @throws {AppError} DATABASE_UNREACHABLE and OVERLOADED with `Retry-After` */
  claim(request: ClaimRequest & { readonly route: string }): Promise<ClaimOutcome>;
  /**
   * Keeps the answer, or gives the claim back where it is none that lasts. Undefined when it is not kept: the answer is
   * given in any case, and the handler finds by the key what it has done.
   */
  keep(request: AnsweredRequest, claim: string, response: RouteResponse): Promise<KnownAnswer | undefined>;
}

/** A server that crashed is started again within seconds. */
const databaseRetrySeconds = 5;

export function createAnswerKeeper(options: AnswerKeeperOptions): AnswerKeeper {
  const { store, config, metrics, logger } = options;
  const answers = metrics.counter('returnit_http_idempotent_answers_total');

  async function settle({ id }: AnsweredRequest, claim: string, answer: KeptAnswer | undefined): Promise<boolean> {
    if (answer === undefined) {
      await store.release(id, claim);
      answers.inc({ outcome: 'released' });
      return false;
    }
    const isKept = await store.keep(id, claim, answer);
    answers.inc({ outcome: !isKept ? 'claim_lost' : answer.isBodyKept ? 'kept' : 'too_large' });
    return isKept;
  }

  return {
    async claim(request) {
      try {
        return await store.claim(request);
      } catch (error) {
        throw toRefusal(error, request.route);
      }
    },
    async keep(request, claim, response) {
      const answer = toKeptAnswer(response, config.idempotencyAnswerMaxBytes);
      try {
        const isKept = await settle(request, claim, answer);
        return isKept && answer !== undefined ? { fingerprint: request.fingerprint, answer } : undefined;
      } catch (error) {
        answers.inc({ outcome: 'failed' });
        logger.warn(
          { err: error, route: request.route },
          'Cannot keep the answer to a request with an idempotency key',
        );
        return undefined;
      }
    },
  };
}

function toRefusal(error: unknown, route: string): unknown {
  if (!(error instanceof AppError) || (error.code !== 'DATABASE_UNREACHABLE' && error.code !== 'OVERLOADED'))
    return error;
  return new RequestRefusal(error.code, `Cannot ${route}: the database that keeps idempotency keys cannot be asked`, {
    headers: { 'retry-after': String(databaseRetrySeconds) },
    cause: error,
  });
}
