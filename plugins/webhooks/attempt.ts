/** One request to an endpoint, and what it came to. */
import { checkUrl } from './endpoint-url.ts';
import { parseRetryAfter } from './retry.ts';
import type { Settings } from './settings.ts';
import { signatureHeaders } from './signature.ts';

/**
 * - delivered: a 2xx
 * - gone: 410, the endpoint wants no more
 * - throttled: 429 or 503 with a time to wait
 * - rejected: any other answer, redirects among them
 * - timeout, unreachable: no answer in time, or none at all
 * - refused: the core does not go where the host leads, a private address say
 * - postponed: nothing was sent, and the partner has no part in it
 */
export type AttemptOutcome =
  | 'delivered'
  | 'gone'
  | 'throttled'
  | 'rejected'
  | 'timeout'
  | 'unreachable'
  | 'refused'
  | 'postponed';

export interface AttemptResult {
  readonly outcome: AttemptOutcome;
  readonly status: number | null;
  readonly latencyMs: number;
  /** The first bytes of the answer as text. */
  readonly response: string | null;
  /** Null when it was delivered. */
  readonly error: string | null;
  readonly retryAfterSeconds?: number | undefined;
}

export interface AttemptOptions {
  readonly url: string;
  readonly messageId: string;
  readonly body: string;
  readonly secrets: readonly string[];
  readonly settings: Pick<Settings, 'allowHttp' | 'timeoutMs' | 'responseMaxBytes' | 'retryAfterMaxSeconds'>;
  /** Ends it early: the plugin stops. */
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** Never throws: whatever happens to a request is a result. */
export async function attempt(options: AttemptOptions): Promise<AttemptResult> {
  const { settings, signal, now } = options;
  const startedMs = now();
  const answered = (result: Omit<AttemptResult, 'latencyMs'>): AttemptResult => ({
    ...result,
    latencyMs: Math.max(0, Math.round(now() - startedMs)),
  });
  const problem = checkUrl(options.url, settings);
  if (problem !== undefined) return answered(failure('refused', problem));
  const deadline = AbortSignal.timeout(settings.timeoutMs);
  try {
    const response = await fetch(options.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'ReturnIt-Webhooks/1',
        ...signatureHeaders({ ...options, at: new Date(startedMs) }),
      },
      body: options.body,
      // Whoever answers for the URL must take it: a redirect is a failure, and nothing is sent to where it leads.
      redirect: 'manual',
      signal: AbortSignal.any([signal, deadline]),
      responseMaxBytes: settings.responseMaxBytes,
    });
    return answered(await toResult(response, options));
  } catch (error) {
    if (signal.aborted) return answered({ ...failure('postponed', 'the platform stops'), retryAfterSeconds: 0 });
    if (deadline.aborted) return answered(failure('timeout', `no answer within ${settings.timeoutMs} ms`));
    return answered(toFailure(error));
  }
}

async function toResult(
  response: Response,
  { settings, now }: AttemptOptions,
): Promise<Omit<AttemptResult, 'latencyMs'>> {
  const { status } = response;
  const received = { status, response: printable(await response.text()) };
  if (status >= 200 && status < 300) return { ...received, outcome: 'delivered', error: null };
  if (status === 410) return { ...received, outcome: 'gone', error: 'status 410' };
  const retryAfterSeconds =
    status === 429 || status === 503
      ? parseRetryAfter(response.headers.get('retry-after'), {
          nowMs: now(),
          maxSeconds: settings.retryAfterMaxSeconds,
        })
      : undefined;
  const outcome = retryAfterSeconds === undefined ? 'rejected' : 'throttled';
  return { ...received, outcome, error: `status ${status}`, retryAfterSeconds };
}

function failure(outcome: AttemptOutcome, error: string): Omit<AttemptResult, 'latencyMs'> {
  return { outcome, status: null, response: null, error };
}

/** The core's refusals are thrown as they are; what happened on the network is the cause of a TypeError (Fetch standard). */
function toFailure(error: unknown): Omit<AttemptResult, 'latencyMs'> {
  const code = codeOf(error);
  // Not its text: it names the address, which the partner need not learn from us.
  if (code === 'NOT_CAPABLE') return failure('refused', 'the host leads to an address that may not be called');
  if (code === 'INVALID_CALL') return failure('refused', 'the URL may not be called');
  const { cause } = error as Error;
  const reason = codeOf(cause);
  if (reason === 'TIMEOUT') return failure('timeout', 'no answer in time');
  if (reason === 'FETCH_FAILED') {
    const { message } = cause as Error;
    return failure('unreachable', message.slice(message.lastIndexOf(': ') + 2).slice(0, 200));
  }
  return failure('postponed', `the platform could not send: ${code ?? reason ?? 'it does not say why'}`);
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Postgres takes no zero characters, and people read it in terminals. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is replaced
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, ' ');
}
