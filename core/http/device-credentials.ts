import type { Principal } from '#plugin-api';

/** Parameters of a query that hold a device's credentials where its route allows that. */
export const credentialNames = { username: 'username', password: 'password' } as const;

export interface DeviceCredentials {
  readonly username: string;
  readonly password: string;
}

export interface DeviceAttempt extends DeviceCredentials {
  /** Of the client: failures are counted by it. */
  readonly address: string;
}

export type DeviceFailure = 'unknown-user' | 'wrong-secret' | 'revoked' | 'rate-limited';

/**
 * Checks a device's credentials, the same as the broker's.
 *
 * @throws {AppError} when they cannot be looked up
 */
export type AuthenticateDevice = (
  attempt: DeviceAttempt,
) => Promise<{ readonly principal: Principal } | { readonly failure: DeviceFailure }>;

const basic = /^Basic +([A-Za-z0-9+/]{1,1400}={0,2}) *$/i;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The header of HTTP Basic (RFC 7617): the user name ends at the first colon. Undefined when it is not such a header. */
export function parseBasic(header: string): DeviceCredentials | undefined {
  const encoded = basic.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  let text: string;
  try {
    text = decoder.decode(Buffer.from(encoded, 'base64'));
  } catch {
    // Not UTF-8, so nothing that was issued here.
    return undefined;
  }
  const colon = text.indexOf(':');
  return colon < 1 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

export interface SplitQuery {
  readonly credentials: DeviceCredentials | undefined;
  /** The query without them. */
  readonly rest: string;
}

/** Takes the credentials out of a query, whether they are complete or not. */
export function splitQuery(query: string): SplitQuery {
  const parameters = new URLSearchParams(query);
  const username = parameters.get(credentialNames.username);
  const password = parameters.get(credentialNames.password);
  if (username === null && password === null) return { credentials: undefined, rest: query };
  for (const name of Object.values(credentialNames)) parameters.delete(name);
  return {
    credentials: username === null || password === null ? undefined : { username, password },
    rest: parameters.toString(),
  };
}
