/** What can become of a plugin's mail. */
export const mailErrorCodes = {
  MAIL_REFUSED: {
    status: 502,
    title: 'Mail refused',
    meaning: 'The mail server refused a mail of a plugin for good (a 5xx answer), or it is larger than may be sent.',
    remedy:
      'Plugin authors: do not send it again. Operators: `details` has the answer; look at the address and MAIL_FROM.',
  },
  MAIL_DEFERRED: {
    status: 503,
    title: 'Mail not taken at the moment',
    meaning:
      'The mail server was not reached, did not let us in, or takes the mail later (a 4xx answer). It was not sent.',
    remedy: 'Plugin authors: send it again later. Operators: look at the mail server and SMTP_URL.',
  },
  MAIL_UNCERTAIN: {
    status: 504,
    title: 'Mail may have been sent',
    meaning: 'The connection to the mail server was lost after the mail and before its answer.',
    remedy: 'Plugin authors: send it again with the same `messageId`, by which a repetition is recognised.',
  },
  MAIL_UNAVAILABLE: {
    status: 503,
    title: 'No mail server',
    meaning: 'The operator has set up no mail server.',
    remedy: 'Operators: set SMTP_URL and MAIL_FROM. Plugin authors: ask `ctx.mail.isConfigured()` first.',
  },
} as const;
