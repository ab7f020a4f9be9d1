import type { AedesOptions } from 'aedes';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { Credentials } from './credentials.ts';
import type { DeviceDirectory } from './device-directory.ts';
import { createFailureLimit, type FailureLimit } from '#core/cache/failure-limit.ts';
import type { MessageConnection } from './message-connection.ts';

/** Return codes of CONNACK (MQTT 3.1.1 §3.2.2.3). */
const connackCodes = { serverUnavailable: 3, badUsernameOrPassword: 4, notAuthorized: 5 } as const;

export interface DeviceAuthenticationOptions {
  readonly credentials: Credentials;
  readonly directory: DeviceDirectory;
  readonly failureLimit: FailureLimit;
  readonly telemetry: Telemetry;
}

/** Connections of one user in a minute. Two phones with the same client id and user take over from each other for ever. */
const connectionsPerMinuteMax = 60;

type AuthenticateHook = NonNullable<AedesOptions['authenticate']>;
type AuthenticateCallback = Parameters<AuthenticateHook>[3];

function toRefusal(returnCode: number, message: string): Error & { returnCode: number } {
  return Object.assign(new Error(message), { returnCode });
}

/**
 * Decides who may connect. An address that failed too often is only checked against credentials that are cached, so that
 * it costs the database nothing while devices behind the same address stay connected.
 */
export function createDeviceAuthentication(options: DeviceAuthenticationOptions): AuthenticateHook {
  const { credentials, directory, failureLimit, telemetry } = options;
  const connections = createFailureLimit({ failuresMax: connectionsPerMinuteMax });
  const log = telemetry.logger.child({ component: 'mqtt' });
  const attempts = telemetry.metrics.counter('returnit_mqtt_authentications_total');

  async function check(
    connection: MessageConnection,
    identity: { readonly username: string; readonly secret: Buffer },
    done: AuthenticateCallback,
  ): Promise<void> {
    const cachedOnly = failureLimit.isExceeded(connection.address);
    try {
      const result = await credentials.authenticate(identity.username, identity.secret, { cachedOnly });
      if (connection.gate.destroyed) return;
      if ('credential' in result && connections.isExceeded(identity.username)) {
        attempts.inc({ outcome: 'flapping' });
        return done(toRefusal(connackCodes.serverUnavailable, 'flapping'), false);
      }
      if ('credential' in result) {
        connections.record(identity.username);
        attempts.inc({ outcome: 'accepted' });
        directory.identify(connection, result.credential);
        return done(null, true);
      }
      attempts.inc({ outcome: result.failure });
      if (result.failure !== 'rate-limited') failureLimit.record(connection.address);
      const code = cachedOnly ? connackCodes.serverUnavailable : connackCodes.badUsernameOrPassword;
      done(toRefusal(code, result.failure), false);
    } catch (error) {
      attempts.inc({ outcome: 'error' });
      log.error({ err: error }, 'Cannot authenticate a device');
      done(toRefusal(connackCodes.serverUnavailable, 'error'), false);
    }
  }

  return (...[client, username, password, done]) => {
    const connection = directory.find(client.conn);
    if (connection === undefined || username === undefined || password === undefined) {
      attempts.inc({ outcome: 'no-credentials' });
      return done(toRefusal(connackCodes.notAuthorized, 'no credentials'), false);
    }
    void check(connection, { username, secret: Buffer.from(password) }, done);
  };
}
