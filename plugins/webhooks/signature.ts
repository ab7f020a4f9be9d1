/** Standard Webhooks 1.0: what a receiver verifies with any of the specification's libraries. */
import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

/** The specification wants 24 to 64 bytes. */
const secretBytes = 32;

export function createSecret(): string {
  return `whsec_${randomBytes(secretBytes).toString('base64')}`;
}

export interface SignedMessage {
  /** The same for every attempt: a receiver knows a repetition by it. */
  readonly messageId: string;
  readonly body: string;
  /** The newest first. */
  readonly secrets: readonly string[];
  /** Of this attempt. */
  readonly at: Date;
}

/** Headers with a signature for each secret, so that a receiver may have the old one or the new one. */
export function signatureHeaders({ messageId, body, secrets, at }: SignedMessage): Readonly<Record<string, string>> {
  return {
    'webhook-id': messageId,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(messageId, at, body)).join(' '),
  };
}
