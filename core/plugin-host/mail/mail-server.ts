import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { addressPattern } from './address.ts';

export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte; otherwise by STARTTLS. */
  readonly implicitTls: boolean;
  /** Nothing is sent, and no password shown, over a connection without TLS. */
  readonly tlsRequired: boolean;
  readonly auth?: { readonly user: string; readonly pass: string };
  readonly from: { readonly name: string; readonly address: string };
}

const defaultPorts: Readonly<Record<string, number>> = { 'smtp:': 587, 'smtps:': 465 };

/**
 * What the operator has set up; undefined when nothing is.
 *
 * @throws {AppError} INVALID_CONFIG, which never holds the URL: there is a password in it
 */
export function readMailServer(config: Pick<Config, 'smtpUrl' | 'smtpTls' | 'mailFrom'>): MailServer | undefined {
  if (config.smtpUrl === null) return undefined;
  const url = new URL(config.smtpUrl);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '' || url.search !== '' || url.hash !== '' || !['', '/'].includes(url.pathname)) {
    throw invalid('SMTP_URL must be of the form smtps://user:password@host:port, without path and query');
  }
  const auth = url.username === '' ? undefined : { user: decode(url.username), pass: decode(url.password) };
  const tlsRequired = config.smtpTls !== 'none' || url.protocol === 'smtps:';
  if (!tlsRequired && auth !== undefined && !isLoopback(host)) {
    throw invalid('SMTP_TLS must be "required": SMTP_URL has a password, and its host is another machine');
  }
  return {
    host,
    port: url.port === '' ? (defaultPorts[url.protocol] ?? 0) : Number(url.port),
    implicitTls: url.protocol === 'smtps:',
    tlsRequired,
    ...(auth === undefined ? {} : { auth }),
    from: readSender(config.mailFrom),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('SMTP_URL must have its user and password percent-encoded');
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || (isIP(host) !== 0 && ipaddr.process(host).range() === 'loopback');
}

function readSender(text: string): MailServer['from'] {
  const match = /^(?:([^<>"\p{Cc}]*)<([^<>]+)>|([^<>\s]+))$/u.exec(text.trim());
  const address = match?.[2] ?? match?.[3] ?? '';
  if (new RegExp(addressPattern).test(address)) return { name: (match?.[1] ?? '').trim(), address };
  throw invalid(`MAIL_FROM must be an address or "Name <address>" when SMTP_URL is set: it is ${JSON.stringify(text)}`);
}

function invalid(problem: string): AppError {
  return new AppError('INVALID_CONFIG', `Cannot start: ${problem}`);
}
