import { Webhook } from 'standardwebhooks';
import type { ProviderSettings } from '../settings-text.ts';
import type { Delivery } from './channel.ts';

export interface HttpProviderOptions extends ProviderSettings {
  readonly timeoutMs: number;
  readonly now: () => number;
  /** @default the global one, which asks for the `net` permission */
  readonly fetch?: typeof globalThis.fetch;
}

/** A service that takes a message as JSON by POST. */
export interface HttpProvider {
  /** The id goes along as `Idempotency-Key`: what the service has taken under it, it takes as done. */
  post(id: string, message: object): Promise<Delivery>;
}

const retryAfterMaxSeconds = 3600;
/** What no repetition changes. 401 and 403 are not among them: the operator mends them, and the message is not at fault. */
const refusals: ReadonlySet<number> = new Set([400, 404, 405, 406, 410, 411, 413, 414, 415, 422]);

export function createHttpProvider(options: HttpProviderOptions): HttpProvider {
  const { url, token, timeoutMs, now, fetch = globalThis.fetch } = options;
  const webhook = options.secret === null ? undefined : new Webhook(options.secret);
  return {
    async post(id, message) {
      const body = JSON.stringify(message);
      const signal = AbortSignal.timeout(timeoutMs);
      const headers = {
        'content-type': 'application/json',
        'idempotency-key': id,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(webhook === undefined ? {} : sign(webhook, { id, body, nowMs: now() })),
      };
      try {
        const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' });
        return await toDelivery(response);
      } catch (error) {
        // Its text may hold the URL or more. The request may have arrived: who sends it again sends the same key.
        if ((error as { code?: unknown }).code === 'NOT_CAPABLE')
          return { kind: 'deferred', reason: 'net is not granted' };
        return { kind: 'uncertain', reason: signal.aborted ? 'no answer in time' : 'the connection failed' };
      }
    },
  };
}

/** The headers of the Standard Webhooks specification. */
function sign(
  webhook: Webhook,
  { id, body, nowMs }: { readonly id: string; readonly body: string; readonly nowMs: number },
): Readonly<Record<string, string>> {
  const at = new Date(nowMs);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(nowMs / 1000)),
    'webhook-signature': webhook.sign(id, at, body),
  };
}

async function toDelivery(response: Response): Promise<Delivery> {
  const { status } = response;
  if (status >= 200 && status < 300) return { kind: 'sent' };
  const reason = `HTTP ${status}${await readCode(response)}`;
  if (refusals.has(status)) return { kind: 'refused', reason };
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const wait = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, retryAfterMaxSeconds) : undefined;
  // A server that fails may have done it before it failed.
  const kind = status === 500 || status === 502 || status === 504 ? 'uncertain' : 'deferred';
  if (kind === 'uncertain') return { kind, reason };
  return { kind, reason, ...(wait === undefined ? {} : { retryAfterMs: wait * 1000 }) };
}

/** The service's own word for it, where it has one. Never its text: it may repeat the address. */
async function readCode(response: Response): Promise<string> {
  try {
    const { code } = (await response.json()) as { readonly code?: unknown };
    return typeof code === 'string' && /^[A-Za-z][A-Za-z0-9_.-]{0,59}$/.test(code) ? ` ${code}` : '';
  } catch {
    return ''; // Not every answer is JSON.
  }
}
