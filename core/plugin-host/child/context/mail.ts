import type { Mail, OutgoingMail } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';

export function createMail(core: CoreConnection): Mail {
  return Object.freeze({
    isConfigured: async () => (await core.call('mail.configured', {})).configured,
    send({ to, subject, text, html, messageId, headers = {} }: OutgoingMail) {
      const mail = { to, subject, text, messageId, headers: Object.entries(headers) };
      return core.call('mail.send', html === undefined ? mail : { ...mail, html });
    },
  });
}
