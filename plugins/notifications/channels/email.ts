import type { Mail } from '#plugin-api';
import type { Channel, Delivery } from './channel.ts';

/** Mail by the core's capability. The notification's id is the mail's: a repetition has the same Message-ID. */
export function createEmailChannel(mail: Mail): Channel {
  return {
    name: 'email',
    async send({ id, address, title, body, html, locale }) {
      try {
        await mail.send({
          to: address,
          subject: title,
          text: body,
          ...(html === null ? {} : { html }),
          messageId: id,
          headers: { 'Content-Language': locale },
        });
        return { kind: 'sent' };
      } catch (error) {
        return toDelivery(error);
      }
    },
  };
}

interface MailError {
  readonly code?: unknown;
  readonly details?: { readonly answer?: unknown; readonly reason?: unknown };
}

const kindOf: Readonly<Record<string, Exclude<Delivery['kind'], 'sent'>>> = {
  MAIL_REFUSED: 'refused',
  // The recipient's domain was not granted, or the address is none: both stay so.
  NOT_CAPABLE: 'refused',
  INVALID_CALL: 'refused',
  MAIL_DEFERRED: 'deferred',
  MAIL_UNAVAILABLE: 'deferred',
  BUDGET_EXCEEDED: 'deferred',
  MAIL_UNCERTAIN: 'uncertain',
  TIMEOUT: 'uncertain',
};

function toDelivery(error: unknown): Delivery {
  const { code, details = {} } = error as MailError;
  const kind = typeof code === 'string' ? kindOf[code] : undefined;
  if (kind === undefined) throw error;
  const what = [code, details.answer, details.reason].filter((part) => typeof part === 'string');
  return { kind, reason: what.join(' ') };
}
