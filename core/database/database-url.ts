import { createHmac } from 'node:crypto';
import { AppError } from '#core/errors/app-error.ts';
import { toRole } from './identifiers.ts';

/** Where a URL points, for messages: never its credentials. A socket's folder is shown as a path. */
export function toAddress(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return 'an address that is not a URL';
  const host = parsed.searchParams.get('host') ?? decodeURIComponent(parsed.hostname);
  return host.startsWith('/') ? host : `${host || 'localhost'}:${parsed.port || '5432'}`;
}

/**
 * A secret of one plugin, for one purpose, derived from the admin's password: every node computes the same one without
 * asking another, nothing has to be stored, and a new admin password renews all of them at the next start.
 *
 * @throws {AppError} INVALID_CONFIG when the URL holds no password, since a derived secret could then be guessed
 */
export function derivePluginSecret(url: string, purpose: 'password' | 'token' | 'devices', plugin: string): string {
  const password = decodeURIComponent(URL.parse(url)?.password ?? '');
  if (password === '') {
    throw new AppError(
      'INVALID_CONFIG',
      "Cannot use DATABASE_URL: it holds no password, and the passwords of the plugins' roles are derived from it",
    );
  }
  return createHmac('sha256', password).update(`returnit:${purpose}:${plugin}`).digest('base64url');
}

/** The same server and database, as the plugin's role. */
export function toPluginUrl(url: string, plugin: string): string {
  const parsed = new URL(url);
  parsed.username = toRole(plugin);
  parsed.password = derivePluginSecret(url, 'password', plugin);
  return parsed.href;
}
