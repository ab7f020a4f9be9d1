import { randomUUID } from 'node:crypto';
import type { Config } from '#core/config/settings.ts';
import type { ProblemPlace } from '../problem-details.ts';
import { RequestRefusal } from '../request-refusal.ts';
import type { RouteResponse } from '../route.ts';
import {
  createAnswerKeeper,
  type AnswerKeeper,
  type AnswerKeeperOptions,
  type AnsweredRequest,
  type KnownAnswer,
} from './answer-keeper.ts';
import { toFailedAnswer, toReplay } from './kept-answer.ts';
import { createTurns, type Turns } from './turns.ts';

export interface IdempotencyOptions extends AnswerKeeperOptions {
  readonly config: AnswerKeeperOptions['config'] &
    Pick<Config, 'httpRequestTimeoutMs' | 'idempotencyRetentionMs' | 'idempotencyWaitMs'>;
}

/** A request with a key, as far as its identity goes. */
export interface KeyedRequest extends AnsweredRequest {
  /** SHA-256 of principal, route and key. */
  readonly id: Buffer;
  /** SHA-256 of method, path, query and body. */
  readonly fingerprint: Buffer;
  readonly place: ProblemPlace;
}

export interface Idempotency {
  /**
   * Does what was not done yet, and repeats the answer to what was.
   *
   * @param execute runs the handler; its failure is kept as an answer, if it is one
   * @throws {AppError} IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_IN_PROGRESS, IDEMPOTENCY_ANSWER_NOT_KEPT, DATABASE_UNREACHABLE,
   * OVERLOADED; what `execute` throws
   */
  run(request: KeyedRequest, execute: () => Promise<RouteResponse>): Promise<RouteResponse>;
  /** Forgets what is out of date; returns how many. */
  sweep(signal: AbortSignal): Promise<number>;
}

/** After the deadline of every handler: until then its node may still be answering. */
const lockMarginMs = 5000;
const pollFirstMs = 50;
const pollLongestMs = 1000;
const sweepBatchMax = 1000;

/**
 * Idempotency keys, as Stripe has them. A claim in the database says that a request is being done; the answer takes its
 * place before anybody is told it. Where a node ends in between, the claim's lock runs out, and the next request with the
 * key runs the handler again: handlers derive what they create from the key, so nothing is made twice (decision 043).
 */
export function createIdempotency(options: IdempotencyOptions): Idempotency {
  return new KeyedRequests(options);
}

type Execute = () => Promise<RouteResponse>;

/** What came of a request: an answer, a failure that is to be thrown, or that it was answered before. */
type Outcome =
  | { readonly kind: 'done'; readonly response: RouteResponse; readonly known: KnownAnswer | undefined }
  | { readonly kind: 'failed'; readonly error: unknown; readonly known: KnownAnswer | undefined }
  | { readonly kind: 'repeated'; readonly known: KnownAnswer };

class KeyedRequests implements Idempotency {
  readonly #options: IdempotencyOptions;
  readonly #keeper: AnswerKeeper;
  readonly #turns: Turns<KnownAnswer | undefined> = createTurns();
  readonly #count: (outcome: 'first' | 'replayed' | 'reused' | 'in_progress') => void;

  constructor(options: IdempotencyOptions) {
    this.#options = options;
    this.#keeper = createAnswerKeeper(options);
    const requests = options.metrics.counter('returnit_http_idempotent_requests_total');
    this.#count = (outcome) => requests.inc({ outcome });
  }

  async run(request: KeyedRequest, execute: Execute): Promise<RouteResponse> {
    const deadlineMs = performance.now() + this.#options.config.idempotencyWaitMs;
    const key = request.id.toString('base64');
    for (;;) {
      // The duplicates of this node wait for the one that has the turn, and ask nobody.
      const turn = await this.#turns.wait(key, deadlineMs);
      if (turn.kind === 'late') throw this.#inProgress(request);
      if (turn.kind === 'over') {
        if (turn.result !== undefined) return this.#replay(request, turn.result);
        continue;
      }
      let outcome: Outcome | undefined;
      try {
        outcome = await this.#take(request, execute, deadlineMs);
      } finally {
        turn.finish(outcome?.known);
      }
      if (outcome.kind === 'failed') throw outcome.error;
      return outcome.kind === 'done' ? outcome.response : this.#replay(request, outcome.known);
    }
  }

  async sweep(signal: AbortSignal): Promise<number> {
    const { store, config, metrics } = this.#options;
    const swept = metrics.counter('returnit_http_idempotency_keys_swept_total');
    let count = 0;
    for (;;) {
      const batch = await store.forget(config.idempotencyRetentionMs, sweepBatchMax);
      swept.inc({}, batch);
      count += batch;
      if (batch < sweepBatchMax || signal.aborted) return count;
    }
  }

  /** While another node does it, both ask the database alone: the wait is in steps. */
  async #take(request: KeyedRequest, execute: Execute, deadlineMs: number): Promise<Outcome> {
    const { httpRequestTimeoutMs, idempotencyRetentionMs: retentionMs } = this.#options.config;
    const claim = randomUUID();
    const wanted = { ...request, claim, retentionMs, lockMs: httpRequestTimeoutMs + lockMarginMs };
    for (let pauseMs = pollFirstMs; ; pauseMs = Math.min(pauseMs * 2, pollLongestMs)) {
      const held = await this.#keeper.claim(wanted);
      if (held.kind === 'claimed') {
        this.#count('first');
        return this.#doOnce(request, claim, execute);
      }
      if (held.kind === 'answered') return { kind: 'repeated', known: held };
      if (held.kind === 'running') this.#assertSame(request, held.fingerprint);
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw this.#inProgress(request);
      await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMs, leftMs)));
    }
  }

  async #doOnce(request: KeyedRequest, claim: string, execute: Execute): Promise<Outcome> {
    try {
      const response = await execute();
      return { kind: 'done', response, known: await this.#keeper.keep(request, claim, response) };
    } catch (error) {
      const answer = toFailedAnswer(error, request.place);
      return { kind: 'failed', error, known: await this.#keeper.keep(request, claim, answer) };
    }
  }

  #replay(request: KeyedRequest, { fingerprint, answer }: KnownAnswer): RouteResponse {
    this.#assertSame(request, fingerprint);
    this.#count('replayed');
    return toReplay(answer);
  }

  #assertSame({ fingerprint, route }: KeyedRequest, first: Buffer): void {
    if (fingerprint.equals(first)) return;
    this.#count('reused');
    throw new RequestRefusal(
      'IDEMPOTENCY_KEY_REUSED',
      `Cannot ${route}: this Idempotency-Key came before with another path, query or body`,
    );
  }

  #inProgress({ route }: KeyedRequest): RequestRefusal {
    this.#count('in_progress');
    return new RequestRefusal(
      'IDEMPOTENCY_IN_PROGRESS',
      `Cannot ${route}: a request with this Idempotency-Key is being done`,
      { headers: { 'retry-after': '1' } },
    );
  }
}
