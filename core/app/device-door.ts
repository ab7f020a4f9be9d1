import type { AuthenticateDevice } from '#core/http/device-credentials.ts';
import type { Credentials } from '#core/mqtt/credentials.ts';
import { usernamePattern } from '#core/mqtt/device-username.ts';
import type { FailureLimit } from '#core/cache/failure-limit.ts';

export interface DeviceDoorOptions {
  readonly credentials: Credentials;
  /** The broker's own: guesses at both doors count together. */
  readonly failureLimit: FailureLimit;
}

const username = new RegExp(usernamePattern);

/**
 * Devices at the HTTP door: the credentials of the MQTT one, with its rules. An address that failed too often is only
 * checked against credentials that are cached.
 */
export function createDeviceDoor({ credentials, failureLimit }: DeviceDoorOptions): AuthenticateDevice {
  return async (attempt) => {
    const cachedOnly = failureLimit.isExceeded(attempt.address);
    // What cannot have been issued is not looked up: it may not even be a text that the database takes.
    const result = username.test(attempt.username)
      ? await credentials.authenticate(attempt.username, Buffer.from(attempt.password), { cachedOnly })
      : ({ failure: 'unknown-user' } as const);
    if ('credential' in result) {
      const { credential } = result;
      return { principal: { id: credential.username, role: 'device', publish: credential.publish } };
    }
    if (result.failure !== 'rate-limited') failureLimit.record(attempt.address);
    return cachedOnly ? { failure: 'rate-limited' } : result;
  };
}
