import { AppError } from '#core/errors/app-error.ts';

/** What nodemailer says of a failure. */
interface SmtpFailure {
  readonly code?: unknown;
  readonly responseCode?: unknown;
  readonly response?: unknown;
}

const reasons: Readonly<Record<string, string>> = {
  EAUTH: 'the mail server does not take user and password of SMTP_URL',
  ENOAUTH: 'the mail server wants user and password in SMTP_URL',
  ETLS: 'the mail server offers no TLS, or no valid certificate',
  EDNS: 'the name of the mail server does not resolve',
  ETIMEDOUT: 'the mail server does not answer in time',
  EABORT: 'it took longer than MAIL_TIMEOUT_MS',
};

/**
 * What a failure means for the mail: whether it was sent, and whether to send it again.
 *
 * The server's text is left out, and with it nodemailer's error as cause: servers repeat addresses in it, and messages
 * of errors are logged. Its codes (`550 5.1.1`) say as much.
 */
export function toMailError(error: unknown, { dataBegan }: { readonly dataBegan: boolean }): AppError {
  if (error instanceof AppError) return error;
  const failure = error as SmtpFailure;
  const code = typeof failure.code === 'string' ? failure.code : 'unknown';
  // Only these two are about the mail. A 535 is about the password, and a 421 at the greeting about the hour.
  if (code === 'EENVELOPE' || code === 'EMESSAGE') {
    const status = typeof failure.responseCode === 'number' ? failure.responseCode : 550;
    const answer = toAnswer(status, failure.response);
    const details = { answer };
    return status >= 500
      ? new AppError('MAIL_REFUSED', `Cannot send mail: the mail server refuses it (${answer})`, { details })
      : new AppError('MAIL_DEFERRED', `Cannot send mail: the mail server takes it later (${answer})`, { details });
  }
  const reason = reasons[code] ?? `the connection to the mail server failed (${code})`;
  const details = { reason: code };
  return dataBegan
    ? new AppError('MAIL_UNCERTAIN', `Cannot tell whether mail was sent: ${reason}`, { details })
    : new AppError('MAIL_DEFERRED', `Cannot send mail: ${reason}`, { details });
}

/** The status, and the enhanced one (RFC 3463) when the server sends it. */
function toAnswer(status: number, response: unknown): string {
  const enhanced = typeof response === 'string' ? /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1] : undefined;
  return enhanced === undefined ? String(status) : `${status} ${enhanced}`;
}
