import type { AedesOptions } from 'aedes';
import type { CredentialRecord } from './credential-store.ts';
import { createDeviceAuthentication, type DeviceAuthenticationOptions } from './device-authentication.ts';
import type { MessageConnection } from './message-connection.ts';
import { isReserved } from './reserved-topic.ts';
import { filterContains, filterMatches, isTopic, isTopicFilter } from './topic-filter.ts';
import { countUnclaimed } from './unclaimed-messages.ts';

/** Where refused messages go inside the broker: nobody can subscribe to a topic that begins with `$`. */
const refusedTopic = '$refused';
const clientIdMaxLength = 256;
const subscriptionsMax = 32;

export interface DeviceAccessOptions extends DeviceAuthenticationOptions {
  /** Told of each subscription, before the broker makes it. */
  readonly onSubscribe: (connection: MessageConnection, filter: string) => void;
}

type Hooks = Required<Pick<AedesOptions, 'preConnect' | 'authenticate' | 'authorizePublish' | 'authorizeSubscribe'>>;

export function mayPublish(credential: CredentialRecord, topic: string): boolean {
  return (
    isTopic(topic) &&
    !topic.startsWith('$') &&
    !isReserved(topic) &&
    credential.publish.some((filter) => filterMatches(filter, topic))
  );
}

export function maySubscribe(credential: CredentialRecord, filter: string): boolean {
  return (
    isTopicFilter(filter) &&
    !filter.startsWith('$') &&
    !isReserved(filter) &&
    credential.subscribe.some((allowed) => filterContains(allowed, filter))
  );
}

/**
 * What a device may do at the embedded broker.
 *
 * - Its client id is its own: `<username>/<client id>` inside the broker, so that a second connection with the same id takes
 *   over only the same user's. Sessions are not kept: a device subscribes again when it connects.
 * - A message to a topic that is not its own is acknowledged, dropped and counted. MQTT 3.1.1 has no negative
 *   acknowledgement and allows this or closing the connection [MQTT-3.3.5-2]; closing would keep a device with one wrong
 *   topic from ever delivering its good messages.
 * - A last will whose device is connected again, as after it took over its own connection, is dropped: it is not absent.
 * - The retain flag of a device is ignored: the newest position is the database's to tell, to those who may see it.
 */
export function createDeviceAccess(options: DeviceAccessOptions): Hooks {
  const { directory, telemetry } = options;
  const log = telemetry.logger.child({ component: 'mqtt' });
  const attempts = telemetry.metrics.counter('returnit_mqtt_authentications_total');
  const countLateWill = countUnclaimed(telemetry.metrics, 'late-will');
  const denied = telemetry.metrics.counter('returnit_mqtt_authorizations_denied_total');

  return {
    preConnect(client, packet, done) {
      // The scope is checked with the secret: only the same user can arrive at the same id. A session that is not kept
      // needs no bound of what is queued for a device that never returns; CONNACK says that there is none [MQTT-3.2.2-3].
      const tooLong = packet.clientId.length > clientIdMaxLength;
      if (tooLong) attempts.inc({ outcome: 'client-id' });
      packet.clientId = `${packet.username ?? ''}/${packet.clientId === '' ? crypto.randomUUID() : packet.clientId}`;
      packet.clean = true;
      // The library does not see every packet of a device: its connection counts them.
      directory.find(client.conn)?.gate.setKeepalive(packet.keepalive ?? 0);
      packet.keepalive = 0;
      done(tooLong ? new Error('client id is too long') : null, !tooLong);
    },
    authenticate: createDeviceAuthentication(options),
    authorizePublish(client, packet, done) {
      const connection = client === null ? undefined : directory.find(client.conn);
      const credential = connection?.credential;
      if (client === null || connection === undefined || credential === undefined) {
        return done(new Error('publish without a user'));
      }
      const publish = { ...packet, messageId: packet.messageId ?? 0, retain: false };
      // A closed client still publishes its will.
      const isWill = client.closed;
      packet.retain = false;
      if (isWill && directory.isBack(connection)) {
        countLateWill(packet);
        return done(new Error('the device is back'));
      }
      if (mayPublish(credential, packet.topic)) {
        if (isWill) connection.acceptWill(publish);
        else connection.accept(publish);
        return done(null);
      }
      denied.inc({ action: 'publish' });
      log.warn({ username: credential.username }, 'Device published outside its filters: acknowledged and dropped');
      if (!isWill) connection.refuse(publish);
      packet.topic = refusedTopic;
      packet.payload = Buffer.alloc(0);
      done(null);
    },
    authorizeSubscribe(client, subscription, done) {
      const connection = directory.find(client.conn);
      const count = Object.keys((client as unknown as { subscriptions: object }).subscriptions).length;
      const credential = connection?.credential;
      const isAllowed = credential !== undefined && maySubscribe(credential, subscription.topic);
      if (connection !== undefined && isAllowed && count < subscriptionsMax) {
        options.onSubscribe(connection, subscription.topic);
        return done(null, subscription);
      }
      denied.inc({ action: 'subscribe' });
      // SUBACK 0x80, the connection stays [MQTT-3.9.3].
      done(null, null);
    },
  };
}
