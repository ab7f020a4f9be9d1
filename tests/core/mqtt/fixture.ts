/** What the tests of MQTT share: a broker with devices, collected batches, and raw sockets. */
import assert from 'node:assert/strict';
import { once, type EventEmitter } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { MqttMessage, Verdict } from '#plugin-api';
import { loadConfig } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import type { Batcher, BatcherOptions } from '#core/mqtt/batcher.ts';
import { createBatcher } from '#core/mqtt/batching.ts';
import type { CredentialRecord, CredentialStore } from '#core/mqtt/credential-store.ts';
import { createCredentials, type Credentials } from '#core/mqtt/credentials.ts';
import { createEmbeddedBroker } from '#core/mqtt/embedded-broker.ts';
import type { MqttTransport } from '#core/mqtt/transport.ts';
import { recordTelemetry, type TestTelemetry } from '../../support/record-telemetry.ts';

const deadlineMs = 60_000;

/** Waits for a condition; the deadline only says that it will never come. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const endsAt = performance.now() + deadlineMs;
  while (!(await condition())) {
    assert.ok(performance.now() < endsAt, `still waiting: ${what}`);
    await turn();
  }
}

/** The next event of a client; its typed emitter is none for `once()`. */
export async function eventOf(client: MqttClient, name: 'close' | 'error' | 'message' | 'connect'): Promise<unknown[]> {
  return once(client as unknown as EventEmitter, name);
}

/** The error that a client is refused with. */
export async function refusal(address: string, options: IClientOptions): Promise<string> {
  const client = mqtt.connect(address, options);
  const [error] = (await eventOf(client, 'error')) as [Error];
  await client.endAsync(true);
  return error.message;
}

export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

export function answered(client: MqttClient, command: string): Promise<void> {
  return new Promise((resolve) => {
    client.on('packetreceive', (packet) => {
      if (packet.cmd === command) resolve();
    });
  });
}

export function createMemoryStore(): CredentialStore & { readonly records: Map<string, CredentialRecord> } {
  const records = new Map<string, CredentialRecord>();
  return {
    records,
    find: async (username) => records.get(username),
    async save(record) {
      if ((records.get(record.username)?.plugin ?? record.plugin) !== record.plugin) return false;
      records.set(record.username, { ...record, revoked: false });
      return true;
    },
    async revoke(username, plugin) {
      const record = records.get(username);
      if (record === undefined) return 'unknown';
      if (record.plugin !== plugin) return 'foreign';
      records.set(username, { ...record, revoked: true });
      return 'revoked';
    },
    list: async (after, limit) =>
      [...records.values()]
        .filter(({ username }) => username > after)
        .sort((left, right) => (left.username < right.username ? -1 : 1))
        .slice(0, limit),
  };
}

export type Handler = (messages: readonly MqttMessage[]) => Promise<readonly Verdict[]>;

/** Nothing is settled before `commit()`. @returns `seen`: payloads that are, in order */
export function holdCommits(): { readonly handler: Handler; readonly seen: readonly string[]; commit(): void } {
  const { promise: committed, resolve: commit } = Promise.withResolvers<void>();
  const seen: string[] = [];
  const handler: Handler = async (messages) => {
    await committed;
    for (const { payload } of messages) seen.push(payload);
    return acceptAll(messages);
  };
  return { handler, seen, commit };
}

export const acceptAll = (messages: readonly MqttMessage[]): readonly Verdict[] => messages.map(() => 'accepted');

export interface Fixture {
  readonly config: Config;
  readonly telemetry: TestTelemetry;
  readonly credentials: Credentials;
  readonly broker: MqttTransport;
  /** Subscribes a plugin to a filter with this handler. */
  subscribe(filter: string, handler: Handler, plugin?: string): Promise<Batcher>;
  /** A connected device that may publish under `drivers/<id>/`. */
  device(id: string, options?: IClientOptions): Promise<MqttClient>;
  /** Options for a client that is to be refused or watched by hand. */
  deviceOptions(id: string, options?: IClientOptions): Promise<IClientOptions>;
  rawSocket(): Promise<Socket>;
  /** The value of one sample line of /metrics, 0 when it is not there. */
  sample(line: string): Promise<number>;
  stop(): Promise<void>;
}

export function batcherOptions(
  config: Config,
  telemetry: TestTelemetry,
  { filter, plugin = 'tracking' }: { readonly filter: string; readonly plugin?: string | undefined },
): BatcherOptions {
  return {
    plugin,
    filter,
    telemetry,
    batchSizeMax: config.mqttBatchSizeMax,
    batchWaitMs: config.mqttBatchWaitMs,
    batchMaxBytes: 512_000,
    payloadMaxBytes: 32_768,
    waitingMax: Math.ceil(config.mqttInflightMax / 2),
    retryDelayMs: config.mqttRetryDelayMs,
    promptPerSecond: config.mqttPromptPerSecond,
    promptBurst: config.mqttPromptBurst,
    backlogShare: config.mqttBacklogShare,
    sharedBatchSizeMax: config.mqttSharedBatchSizeMax,
  };
}

export async function createFixture(
  overrides: Partial<Config> = {},
  clock: { readonly now?: () => number } = {},
): Promise<Fixture> {
  const config = loadConfig({}, { mqttPort: 0, mqttRetryDelayMs: 5, mqttBatchWaitMs: 2, ...overrides });
  const telemetry = recordTelemetry();
  const credentials = createCredentials({ store: createMemoryStore() });
  const broker = createEmbeddedBroker({ config, telemetry, credentials, ...clock });
  await broker.start();
  const clients: MqttClient[] = [];
  const sockets: Socket[] = [];
  const batchers: Batcher[] = [];

  async function deviceOptions(id: string, options: IClientOptions = {}): Promise<IClientOptions> {
    const publish = [`drivers/${id}/#`];
    const { username, password } = await credentials.issue('drivers', { username: id, publish, subscribe: publish });
    return { username, password, clientId: `phone-${id}`, reconnectPeriod: 0, ...options };
  }

  return {
    config,
    telemetry,
    credentials,
    broker,
    async subscribe(filter, handler, plugin) {
      const batcher = createBatcher(batcherOptions(config, telemetry, { filter, plugin }));
      batchers.push(batcher);
      batcher.attach(async (messages) => ({ verdicts: await handler(messages) }), {
        batchSizeMax: 500,
        batchWaitMs: 2,
      });
      await broker.subscribe(plugin ?? 'tracking', filter, batcher);
      return batcher;
    },
    deviceOptions,
    async device(id, options) {
      const client = await mqtt.connectAsync(broker.address, await deviceOptions(id, options));
      client.on('error', () => undefined);
      clients.push(client);
      return client;
    },
    async rawSocket() {
      const { hostname, port } = new URL(broker.address);
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      sockets.push(socket);
      await new Promise((resolve) => socket.once('connect', resolve));
      return socket;
    },
    async sample(line) {
      const { body } = await telemetry.metrics.render();
      const found = body.split('\n').find((row) => row.startsWith(`${line} `));
      return found === undefined ? 0 : Number(found.slice(line.length + 1));
    },
    async stop() {
      for (const client of clients) await client.endAsync(true);
      for (const socket of sockets) socket.destroy();
      // Not awaited: some tests have a handler that never ends.
      for (const batcher of batchers) void batcher.stop();
      await broker.stop();
    },
  };
}
