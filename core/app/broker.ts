import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '#core/config/settings.ts';
import type { Database } from '#core/database/database.ts';
import { derivePluginSecret } from '#core/database/database-url.ts';
import { toDatabaseError } from '#core/database/database-error.ts';
import type { AuthenticateDevice } from '#core/http/device-credentials.ts';
import type { Listener } from '#core/jobs/listener.ts';
import { createAccountSync } from '#core/mqtt/account-sync.ts';
import { createCredentialStore, credentialChannel, type CredentialDatabase } from '#core/mqtt/credential-store.ts';
import { createCredentials, type Credentials } from '#core/mqtt/credentials.ts';
import { createEmbeddedBroker } from '#core/mqtt/embedded-broker.ts';
import { createDeviceSecrets } from '#core/mqtt/device-secrets.ts';
import { createExternalClient } from '#core/mqtt/external-client.ts';
import { createFailureLimit } from '#core/cache/failure-limit.ts';
import { createNodeMessages, type NodeMessages } from '#core/mqtt/node-messages.ts';
import { liveTopicPrefix } from '#core/mqtt/reserved-topic.ts';
import { createSessionStore } from '#core/mqtt/session-store.ts';
import type { MqttTransport } from '#core/mqtt/transport.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { createDeviceDoor } from './device-door.ts';

export interface BrokerOptions {
  readonly config: Config;
  readonly telemetry: Telemetry;
  readonly database: Database;
  readonly listener: Listener;
}

export interface Broker {
  readonly transport: MqttTransport;
  readonly credentials: Credentials;
  /** To the other nodes; with the embedded broker there are none. */
  readonly nodes?: NodeMessages;
  /** Devices by HTTP: the same credentials. */
  readonly authenticateDevice: AuthenticateDevice;
}

/** MQTT_URL, or a broker of our own inside the core. */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  const { config, telemetry, database } = options;
  const { mqttUrl } = config;
  const store = createCredentialStore(toCredentialDatabase(database));
  const nodeId = await loadNodeId(config.dataDir);
  const secrets = createDeviceSecrets(derivePluginSecret(database.url, 'devices', 'core'));
  const accounts =
    mqttUrl === null || config.mqttAccounts === 'none'
      ? undefined
      : createAccountSync({ url: new URL(mqttUrl), nodeId, store, secrets, telemetry });
  const credentials = createCredentials({
    store,
    secrets,
    ...(accounts === undefined ? {} : { onStored: (username) => accounts.apply(username) }),
  });
  await options.listener.listen(credentialChannel, {
    onNotification: (username) => credentials.changed(username),
    onReconnect: () => credentials.changed(null),
  });
  const failureLimit = createFailureLimit();
  if (mqttUrl === null) {
    const transport = createEmbeddedBroker({ config, telemetry, credentials, failureLimit });
    return { transport, credentials, authenticateDevice: createDeviceDoor({ credentials, failureLimit }) };
  }
  const broker = new URL(mqttUrl).host;
  const sessions = createSessionStore({ database: toCredentialDatabase(database), nodeId, broker });
  accounts?.start(credentials);
  const transport = createExternalClient({
    config: { ...config, mqttUrl },
    telemetry,
    nodeId,
    sessions,
    ...(accounts === undefined ? {} : { onStop: () => accounts.stop() }),
  });
  const nodes = createNodeMessages({ url: mqttUrl, nodeId, telemetry, prefix: liveTopicPrefix });
  return { transport, credentials, nodes, authenticateDevice: createDeviceDoor({ credentials, failureLimit }) };
}

/** The store knows nothing of Postgres; a database that is away is told as such. */
function toCredentialDatabase({ admin }: Database): CredentialDatabase {
  return {
    async query(query) {
      try {
        return await admin.query(query);
      } catch (error) {
        throw toDatabaseError(error, query.name);
      }
    },
  };
}

/** A broker keeps this node's session under its id: the same after a restart, and no other node's. */
async function loadNodeId(dataDir: string): Promise<string> {
  const file = join(dataDir, 'node-id');
  // `wx`: the first start writes it, every later one reads it.
  await writeFile(file, randomUUID(), { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return (await readFile(file, 'utf8')).trim();
}
