import type { Database, Metrics } from '#plugin-api';
import { insertWebhookEvent } from '../store/webhooks.ts';
import { verifySignature } from './signature.ts';

export interface WebhookSource {
  /** Lower case. */
  readonly header: string;
  /** None: it is not set up, and nothing is taken. */
  secrets(): Promise<readonly string[]>;
}

export interface IntakeDeps {
  readonly db: Database;
  readonly metrics: Pick<Metrics, 'increment'>;
  readonly sources: Readonly<Record<string, WebhookSource>>;
  readonly toleranceSeconds: number;
  readonly now: () => number;
}

export interface Received {
  readonly provider: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type IntakeOutcome = 'stored' | 'duplicate' | 'unknown_provider' | 'signature' | 'malformed';

export const webhookQueue = 'payments.webhook';

/** Signature and time come first: of what nobody has signed not even the form is looked at. */
export async function takeWebhook(deps: IntakeDeps, received: Received): Promise<IntakeOutcome> {
  const outcome = await take(deps, received);
  deps.metrics.increment('returnit_payments_webhooks_total', { outcome });
  return outcome;
}

async function take(deps: IntakeDeps, { provider, body, headers }: Received): Promise<IntakeOutcome> {
  const source = Object.hasOwn(deps.sources, provider) ? deps.sources[provider] : undefined;
  const secrets = (await source?.secrets()) ?? [];
  if (source === undefined || secrets.length === 0) return 'unknown_provider';
  const { toleranceSeconds } = deps;
  const header = headers[source.header];
  const verdict = verifySignature({ body, header, secrets, nowMs: deps.now(), toleranceSeconds });
  if (verdict !== 'valid') return 'signature';
  const event = parse(body);
  if (event === undefined) return 'malformed';
  return deps.db.transaction(async (tx) => {
    const isNew = await insertWebhookEvent(tx, { provider, ...event });
    if (isNew) await tx.jobs.send(webhookQueue, { provider, eventId: event.eventId }, { retryLimit: 30 });
    return isNew ? 'stored' : 'duplicate';
  });
}

interface ParsedEvent {
  readonly eventId: string;
  readonly type: string;
  readonly reference: string | null;
}

const idForm = /^[A-Za-z0-9_-]{1,200}$/;
const typeForm = /^[a-z0-9_.]{1,100}$/;

/** Of an event nothing else is read: what is true is asked for. */
function parse(body: string): ParsedEvent | undefined {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return undefined; // Signed, and no JSON all the same.
  }
  const { id, type, data } = membersOf(json);
  if (!isText(id, idForm) || !isText(type, typeForm)) return undefined;
  return { eventId: id, type, reference: referenceOf(membersOf(membersOf(data)['object'])) };
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isText(value: unknown, form: RegExp): value is string {
  return typeof value === 'string' && form.test(value);
}

/** The payment that an event is about: itself, or what the refund, charge or dispute says that it belongs to. */
function referenceOf(object: Readonly<Record<string, unknown>>): string | null {
  const reference = object['object'] === 'payment_intent' ? object['id'] : object['payment_intent'];
  return isText(reference, idForm) ? reference : null;
}
