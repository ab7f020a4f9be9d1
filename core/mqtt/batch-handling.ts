import { isUtf8 } from 'node:buffer';
import type { MqttMessage, Verdict } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import type { IncomingMessage } from './incoming-message.ts';

/** The plugin's handler: gets the messages, resolves with what the plugin answered, which is not checked yet. */
export type HandleBatch = (messages: readonly MqttMessage[]) => Promise<unknown>;

/** Why the core does not pass a payload on as a message. */
export const refusals = ['too-large', 'encoding'] as const;
export type Refusal = (typeof refusals)[number];

/** What a plugin sees of a payload: its text, or the first bytes of one that it could not be handed, in base64. */
export interface Content {
  readonly text: string;
  readonly refused?: Refusal;
}

const reasonPattern = /^[a-z][a-z_-]{0,39}$/;
/** Enough to see what it was. */
const refusedPayloadMaxBytes = 8192;
const byteOrderMark = '\u{FEFF}';

/** A payload as text, or why the plugin must not see it. */
export function decodePayload(payload: Buffer, payloadMaxBytes: number): Content | { readonly rejected: Refusal } {
  if (payload.length > payloadMaxBytes) return { rejected: 'too-large' };
  if (!isUtf8(payload)) return { rejected: 'encoding' };
  const text = payload.toString();
  return { text: text.startsWith(byteOrderMark) ? text.slice(1) : text };
}

let lastInstant = { ms: Number.NaN, text: '' };

/** Many messages arrive in the same millisecond. */
function toInstant(ms: number): string {
  if (ms !== lastInstant.ms) lastInstant = { ms, text: new Date(ms).toISOString() };
  return lastInstant.text;
}

/** A refused payload for a plugin that wants to know of it. */
export function toRefusedContent(payload: Buffer, refused: Refusal): Content {
  return { text: payload.subarray(0, refusedPayloadMaxBytes).toString('base64'), refused };
}

export function toPluginMessage(message: IncomingMessage, { text, refused }: Content): MqttMessage {
  return {
    topic: message.topic,
    payload: text,
    ...(refused === undefined ? {} : { refused: { reason: refused, payloadBytes: message.payload.length } }),
    username: message.username,
    receivedAt: toInstant(message.receivedAtMs),
    retained: message.retained,
    duplicate: message.duplicate,
  };
}

/** A reason as a metric label: from a bounded set, whatever a plugin says. */
export function toReasonLabel(reason: string): string {
  return reasonPattern.test(reason) ? reason : 'other';
}

function isVerdict(value: unknown): value is Verdict {
  if (value === 'accepted') return true;
  return typeof value === 'object' && value !== null && typeof (value as { rejected?: unknown }).rejected === 'string';
}

/**
 * The plugin's answer as one verdict a message.
 *
 * @throws {AppError} PLUGIN_FAILED when it is anything else: then nothing is acknowledged
 */
export function parseVerdicts(answer: unknown, count: number): readonly Verdict[] {
  const verdicts = (answer as { verdicts?: unknown } | null | undefined)?.verdicts;
  if (!Array.isArray(verdicts) || verdicts.length !== count) {
    const what = Array.isArray(verdicts) ? `${verdicts.length} verdicts` : 'no list of verdicts';
    throw new AppError('PLUGIN_FAILED', `Cannot acknowledge ${count} messages: the handler answered ${what}`);
  }
  const wrong = verdicts.findIndex((verdict) => !isVerdict(verdict));
  if (wrong !== -1) {
    throw new AppError(
      'PLUGIN_FAILED',
      `Cannot acknowledge message ${wrong}: its verdict must be 'accepted' or { rejected: reason }`,
    );
  }
  return verdicts as readonly Verdict[];
}
