import type { EventEmitter } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Aedes, type Client } from 'aedes';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Counter, Histogram } from '#core/telemetry/metrics.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { createConnectionBuffers, type ConnectionBuffers } from './connection-buffers.ts';
import type { Credentials } from './credentials.ts';
import { createDeviceAccess } from './device-access.ts';
import { createDeviceSubscriptions } from './device-subscriptions.ts';
import { createDirectDeviceMessages } from './direct-device-messages.ts';
import { MessageConnection, type MessageConnectionOptions } from './message-connection.ts';
import { createDeviceDirectory, type DeviceDirectory } from './device-directory.ts';
import { createExpiringMessages, type ExpiringMessages } from './expiring-messages.ts';
import { createFailureLimit, type FailureLimit } from '#core/cache/failure-limit.ts';
import { createInflightBudget, type InflightBudget } from './inflight-budget.ts';
import { IncomingMessage } from './incoming-message.ts';
import { createMessageRouter, type MessageRouter } from './message-router.ts';
import { ReadTurn } from './read-turn.ts';
import type { MessageSink, MqttTransport, PublishOptions } from './transport.ts';

export interface EmbeddedBrokerOptions {
  readonly config: Config;
  readonly telemetry: Telemetry;
  readonly credentials: Credentials;
  /** @default 20 failures of one address in a minute */
  readonly failureLimit?: FailureLimit;
  /** Messages of one device in flight. @default 1000 */
  readonly windowMax?: number;
  /** The clock by which messages expire. @default Date.now */
  readonly now?: () => number;
}

const connectTimeoutMs = 10_000;
/** A device that does not read what it subscribed to is disconnected after this. */
const drainTimeoutMs = 10_000;
/** Longer than one and a half times the longest keep-alive that apps use by default (OwnTracks: an hour). */
const idleTimeoutMs = 2 * 3_600_000;
const retainedTopicsMax = 10_000;
/** In a SUBACK: the subscription was not made [MQTT-3.9.3-2]. */
const refusedQos = 128;

export function createEmbeddedBroker(options: EmbeddedBrokerOptions): MqttTransport {
  return new EmbeddedBroker(options);
}

/**
 * The MQTT 3.1.1 broker inside the core. A device's PUBLISH is acknowledged when the plugins that subscribe to it have
 * committed it: the broker library acknowledges at once, the connection's FrameGate holds that back.
 */
class EmbeddedBroker implements MqttTransport {
  readonly kind = 'embedded';
  readonly #options: EmbeddedBrokerOptions;
  readonly #budget: InflightBudget;
  readonly #buffers: ConnectionBuffers;
  readonly #turn: ReadTurn;
  readonly #router: MessageRouter;
  readonly #directory: DeviceDirectory;
  readonly #aedes: Aedes;
  readonly #dropped: Counter;
  readonly #ackDuration: Histogram;
  readonly #retainedTopics = new Set<string>();
  readonly #subscriptions = createDeviceSubscriptions();
  readonly #expiring: ExpiringMessages;
  readonly #now: () => number;
  readonly #direct: NonNullable<MessageConnectionOptions['direct']>;
  #server: Server | undefined;

  constructor(options: EmbeddedBrokerOptions) {
    const { config, telemetry, credentials } = options;
    const { metrics } = telemetry;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#expiring = createExpiringMessages({ now: this.#now });
    this.#dropped = metrics.counter('returnit_mqtt_messages_dropped_total');
    this.#ackDuration = metrics.histogram('returnit_mqtt_ack_duration_seconds');
    this.#budget = createInflightBudget({
      messagesMax: config.mqttInflightMax,
      bytesMax: config.mqttInflightMaxBytes,
      metrics,
    });
    this.#buffers = createConnectionBuffers(metrics);
    this.#turn = new ReadTurn({ maxMs: config.mqttReadTurnMs });
    this.#router = createMessageRouter({ telemetry, waitingMax: Math.ceil(config.mqttInflightMax / 2) });
    this.#direct = createDirectDeviceMessages({ router: this.#router, watched: this.#subscriptions.topics });
    const connections = metrics.gauge('returnit_live_connections');
    this.#directory = createDeviceDirectory({ credentials, connections });
    const failureLimit = options.failureLimit ?? createFailureLimit();
    this.#aedes = new Aedes({
      // Unlimited: a device that does not read must not keep messages from the others. What waits is bounded by the budget.
      concurrency: 0,
      connectTimeout: connectTimeoutMs,
      drainTimeout: drainTimeoutMs,
      maxClientsIdLength: Number.MAX_SAFE_INTEGER,
      ...createDeviceAccess({
        credentials,
        directory: this.#directory,
        failureLimit,
        telemetry,
        onSubscribe: (connection, filter) => this.#subscriptions.add(connection, filter),
      }),
    });
    this.#listen();
  }

  get address(): string {
    const { config } = this.#options;
    const bound = this.#server?.address() as AddressInfo | null | undefined;
    const host = config.mqttHost.includes(':') ? `[${config.mqttHost}]` : config.mqttHost;
    return `mqtt://${host}:${bound?.port ?? config.mqttPort}`;
  }

  get connected(): boolean {
    return this.#server?.listening === true;
  }

  get problem(): string | null {
    return this.connected ? null : 'The embedded broker does not listen';
  }

  async start(): Promise<void> {
    const { config, telemetry } = this.#options;
    await this.#aedes.listen();
    const server = createServer((socket) => this.#connect(socket));
    this.#server = server;
    server.maxConnections = config.mqttConnectionsMax;
    server.on('drop', () => this.#dropped.inc({ reason: 'too-many-connections' }));
    await listen(server, config);
    telemetry.metrics.gauge('returnit_mqtt_connected').set({}, 1);
    telemetry.metrics.gauge('returnit_live_connections_max').set({ transport: 'mqtt' }, config.mqttConnectionsMax);
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.#options.telemetry.metrics.gauge('returnit_mqtt_connected').set({}, 0);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.#directory.stop();
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    await closed;
  }

  async subscribe(plugin: string, filter: string, sink: MessageSink): Promise<void> {
    this.#router.subscribe({ plugin, filter, sink });
  }

  expect(plugin: string, filters: readonly string[]): void {
    this.#router.expect(plugin, filters);
  }

  ready(plugin: string): void {
    this.#router.ready(plugin);
  }

  disconnect(username: string): void {
    this.#directory.disconnect(username);
  }

  async publish(topic: string, payload: string, { qos, retain, expirySeconds }: PublishOptions): Promise<void> {
    if (retain) this.#countRetained(topic, payload);
    // Kept before it is sent: who subscribes in between gets it twice rather than never, as quality of service 1 allows.
    if (expirySeconds !== undefined && qos === 1) {
      this.#expiring.keep({
        topic,
        payload: Buffer.from(payload),
        expiresAtMs: this.#now() + expirySeconds * 1000,
      });
    }
    this.#routeOwn(topic, payload);
    const packet = { cmd: 'publish', topic, payload: Buffer.from(payload), qos, retain, dup: false } as const;
    await new Promise<void>((resolve, reject) => {
      this.#aedes.publish(packet, (error) => (error ? reject(error) : resolve()));
    });
  }

  #connect(socket: Socket): void {
    const { config, windowMax = 1000 } = this.#options;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.setTimeout(idleTimeoutMs, () => socket.destroy());
    const connection = new MessageConnection({
      socket,
      address: socket.remoteAddress ?? 'unknown',
      side: 'server',
      packetMaxBytes: config.mqttPacketMaxBytes,
      windowMax,
      budget: this.#budget,
      buffers: this.#buffers,
      turn: this.#turn,
      router: this.#router,
      dropped: this.#dropped,
      ackDuration: this.#ackDuration,
      direct: this.#direct,
    });
    this.#directory.add(connection);
    this.#aedes.handle(connection.gate);
  }

  /** A plugin's message for plugins: they get it from an external broker too. */
  #routeOwn(topic: string, payload: string): void {
    if (!this.#router.isSubscribed(topic)) return;
    const bytes = Buffer.byteLength(payload);
    if (!this.#router.hasRoom(topic) || !this.#budget.reserve(bytes)) {
      throw new AppError('OVERLOADED', 'Cannot publish a message: too many wait for their subscriber');
    }
    const content = { topic, payload: Buffer.from(payload), qos: 0, username: null, receivedAtMs: Date.now() } as const;
    const onEnd = (): void => this.#budget.release(bytes);
    this.#router.route(new IncomingMessage({ ...content, retained: false, duplicate: false, onEnd }));
  }

  /** A device is back: what was published meanwhile and has not expired. */
  #handOut(subscriptions: readonly { readonly topic: string; readonly qos: number }[], client: Client): void {
    const granted = subscriptions.filter(({ qos }) => qos < refusedQos);
    for (const { topic: filter, qos } of granted) {
      for (const { topic, payload } of this.#expiring.matching(filter)) {
        const packet = { cmd: 'publish', topic, payload, qos: qos === 0 ? 0 : 1, retain: false, dup: false } as const;
        // A failure ends the connection, and the device subscribes again.
        client.publish(packet, () => undefined);
      }
    }
  }

  #countRetained(topic: string, payload: string): void {
    const topics = this.#retainedTopics;
    // An empty retained message removes the one before it [MQTT-3.3.1-10].
    if (payload === '') topics.delete(topic);
    else if (topics.size >= retainedTopicsMax && !topics.has(topic)) {
      throw new AppError('OVERLOADED', `Cannot retain a message: ${retainedTopicsMax} topics have one`);
    } else topics.add(topic);
  }

  #listen(): void {
    const log = this.#options.telemetry.logger.child({ component: 'mqtt' });
    const emitter: EventEmitter = this.#aedes;
    emitter.on('subscribe', (subscriptions: readonly { topic: string; qos: number }[], client: Client) =>
      this.#handOut(subscriptions, client),
    );
    emitter.on('unsubscribe', (filters: readonly string[], client: Client) => {
      const connection = this.#directory.find(client.conn);
      if (connection !== undefined) this.#subscriptions.remove(connection, filters);
    });
    emitter.on('clientError', (client: Client, error) =>
      log.debug({ err: error, client: client.id }, 'Connection ended'),
    );
    emitter.on('connectionError', (_client, error) => log.debug({ err: error }, 'Connection refused'));
    emitter.on('error', (error) => log.error({ err: error }, 'Broker failed'));
  }
}

async function listen(server: Server, config: Config): Promise<void> {
  const where = `${config.mqttHost}:${config.mqttPort}`;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error);
      const message = `Cannot listen for MQTT on ${where}: the port is in use; set MQTT_PORT to another, or to 0 for any free one`;
      reject(new AppError('PORT_IN_USE', message, { cause: error, details: { variable: 'MQTT_PORT' } }));
    });
    server.listen(config.mqttPort, config.mqttHost, resolve);
  });
  server.removeAllListeners('error');
}
