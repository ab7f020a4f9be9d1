import { integer, text, url } from './setting.ts';

/** Mail of plugins: through which server, and its limits. */
export const mailSettings = {
  smtpUrl: url(
    'SMTP_URL',
    ['smtp:', 'smtps:'],
    'Mail server with user and password: smtps://user:password@host:465, or smtp://…:587 with STARTTLS; empty: plugins send no mail',
  ),
  smtpTls: text('SMTP_TLS', 'required', {
    description:
      'required: no mail without TLS and a valid certificate; none: without TLS, and with a password only to this machine',
    oneOf: ['required', 'none'],
  }),
  mailFrom: text('MAIL_FROM', '', {
    description: 'Sender of all mail: an address, or "ReturnIt <service@example.com>"; must be set with SMTP_URL',
  }),
  mailConnectionsMax: integer('MAIL_CONNECTIONS_MAX', 4, {
    description: 'Connections to the mail server at the same time',
    min: 1,
    max: 100,
  }),
  mailInflightMax: integer('MAIL_INFLIGHT_MAX', 200, {
    description: 'Mails handed over and not yet taken by the mail server; more are refused for the moment',
    min: 1,
    max: 10_000,
  }),
  mailStepTimeoutMs: integer('MAIL_STEP_TIMEOUT_MS', 10_000, {
    description: 'Longest wait for a connection to the mail server, and for each of its answers',
    min: 10,
  }),
  mailTimeoutMs: integer('MAIL_TIMEOUT_MS', 60_000, {
    description: 'Longest way of a mail to the mail server, all in all; a plugin that asked has its deadline before',
    min: 10,
    max: 600_000,
  }),
  mailMessageMaxBytes: integer('MAIL_MESSAGE_MAX_BYTES', 262_144, {
    description: 'Largest mail, as it is sent',
    min: 1024,
  }),
} as const;
