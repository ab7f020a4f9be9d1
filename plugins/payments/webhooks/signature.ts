/**
 * Stripe's scheme: the header `t=<seconds>,v1=<hex>` has an HMAC-SHA256 over `<seconds>.<body>`; there may be several
 * `v1`. https://docs.stripe.com/webhooks#verify-manually
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface SignatureCheck {
  /** As received, to the byte. */
  readonly body: string;
  readonly header: string | undefined;
  /** Any of them may have signed. */
  readonly secrets: readonly string[];
  readonly nowMs: number;
  readonly toleranceSeconds: number;
}

export type SignatureVerdict = 'valid' | 'missing' | 'malformed' | 'too_old' | 'wrong';

const signaturesMax = 16;

export function verifySignature(check: SignatureCheck): SignatureVerdict {
  const { body, header, secrets, nowMs, toleranceSeconds } = check;
  if (header === undefined || header === '') return 'missing';
  const parts = header.split(',').map((part) => part.trim().split('=', 2));
  const timestamp = parts.find(([name]) => name === 't')?.[1] ?? '';
  const signatures = parts.flatMap(([name, value]) =>
    name === 'v1' && /^[0-9a-f]{64}$/.test(value ?? '') ? [value ?? ''] : [],
  );
  if (!/^\d{1,12}$/.test(timestamp) || signatures.length === 0 || signatures.length > signaturesMax) return 'malformed';
  if (Math.abs(nowMs / 1000 - Number(timestamp)) > toleranceSeconds) return 'too_old';
  // All are compared, so that the time tells nothing of which was right.
  let isSigned = false;
  for (const secret of secrets) {
    const expected = digest(secret, timestamp, body);
    for (const signature of signatures) {
      if (timingSafeEqual(expected, Buffer.from(signature, 'hex'))) isSigned = true;
    }
  }
  return isSigned ? 'valid' : 'wrong';
}

export function sign(body: string, { secret, atMs }: { readonly secret: string; readonly atMs: number }): string {
  const timestamp = String(Math.floor(atMs / 1000));
  return `t=${timestamp},v1=${digest(secret, timestamp, body).toString('hex')}`;
}

function digest(secret: string, timestamp: string, body: string): Buffer {
  return createHmac('sha256', secret).update(`${timestamp}.${body}`).digest();
}
