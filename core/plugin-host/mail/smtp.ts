import { Readable } from 'node:stream';
import { createTransport } from 'nodemailer';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { toMailError } from './mail-failure.ts';
import type { MailServer } from './mail-server.ts';

export interface SmtpOptions {
  readonly server: MailServer;
  readonly config: Pick<Config, 'mailConnectionsMax' | 'mailMessageMaxBytes' | 'mailStepTimeoutMs' | 'mailTimeoutMs'>;
  /** Certificates of authorities. @default those that Node trusts, with NODE_EXTRA_CA_CERTS */
  readonly ca?: string;
}

export interface ComposedMail {
  /** With its angle brackets; no two under way have the same. */
  readonly messageId: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  readonly headers: readonly (readonly [string, string])[];
}

export interface Smtp {
  /** @throws {AppError} MAIL_REFUSED, MAIL_DEFERRED, MAIL_UNCERTAIN */
  send(mail: ComposedMail): Promise<void>;
  /** What is under way is cut off. */
  close(): void;
}

type Transporter = ReturnType<typeof createPool>;

/** A pool of connections to the operator's mail server. */
export function createSmtp(options: SmtpOptions): Smtp {
  const { server, config } = options;
  const transporter = createPool(options);
  const bodies = followBodies(transporter, config.mailMessageMaxBytes);
  return {
    async send({ messageId, to, subject, text, html, headers }) {
      // Before it waits for a connection: what waits takes memory.
      const atLeast = text.length + (html?.length ?? 0);
      if (atLeast > config.mailMessageMaxBytes) throw tooLarge(atLeast, config.mailMessageMaxBytes);
      const body = bodies.follow(messageId);
      try {
        await transporter.sendMail({
          messageId,
          from: server.from,
          // As an object: a text would be parsed as a list.
          to: { name: '', address: to },
          subject,
          text,
          ...(html === undefined ? {} : { html }),
          headers: [
            // Out-of-office replies to a machine help nobody (RFC 3834).
            { key: 'Auto-Submitted', value: 'auto-generated' },
            ...headers.map(([key, value]) => ({ key, value })),
          ],
          disableFileAccess: true,
          disableUrlAccess: true,
          signal: AbortSignal.timeout(config.mailTimeoutMs),
        });
      } catch (error) {
        throw toMailError(error, { dataBegan: body.began() });
      } finally {
        body.forget();
      }
    },
    close: () => transporter.close({ force: true }),
  };
}

function createPool({ server, config, ca }: SmtpOptions) {
  const { mailStepTimeoutMs: stepMs } = config;
  return createTransport({
    pool: true,
    host: server.host,
    port: server.port,
    secure: server.implicitTls,
    // Without a downgrade: when STARTTLS is not offered, or fails, there is no mail.
    requireTLS: server.tlsRequired && !server.implicitTls,
    ignoreTLS: !server.tlsRequired,
    tls: { minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) },
    ...(server.auth === undefined ? {} : { auth: { ...server.auth } }),
    maxConnections: config.mailConnectionsMax,
    // Again by itself only what the server has seen nothing of: an idle connection that it had closed meanwhile.
    maxRequeues: 1,
    dnsTimeout: stepMs,
    connectionTimeout: stepMs,
    greetingTimeout: stepMs,
    socketTimeout: stepMs,
  });
}

interface Body {
  /** The server has asked for the mail and been sent some of it: from here on a lost connection leaves a doubt. */
  began(): boolean;
  forget(): void;
}

/**
 * Builds each mail before it is sent, so that its size is known, and looks at whether it was read: nodemailer reads it when
 * the server has answered DATA, and its errors do not say whether that was so.
 */
function followBodies(transporter: Transporter, maxBytes: number): { follow(messageId: string): Body } {
  const streams = new Map<string, Readable[]>();
  transporter.use('stream', (mail, done) => {
    mail.message.build((error, bytes) => {
      if (error !== null) return done(error);
      if (bytes === undefined || bytes.length > maxBytes) return done(tooLarge(bytes?.length ?? 0, maxBytes));
      const messageId = String(mail.data.messageId);
      mail.message.createReadStream = () => {
        const stream = Readable.from([bytes], { objectMode: false });
        streams.get(messageId)?.push(stream);
        return stream;
      };
      return done();
    });
  });
  return {
    follow(messageId) {
      const own: Readable[] = [];
      streams.set(messageId, own);
      return {
        began: () => own.some((stream) => stream.readableDidRead),
        forget: () => void streams.delete(messageId),
      };
    },
  };
}

function tooLarge(bytes: number, maxBytes: number): AppError {
  return new AppError('MAIL_REFUSED', `Cannot send mail: it has ${bytes} bytes, at most ${maxBytes} are allowed`, {
    details: { bytes, maxBytes },
  });
}
