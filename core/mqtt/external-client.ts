import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { brokerFigureTopics, createBrokerFigures } from './broker-figures.ts';
import { createBrokerConnection, type BrokerConnection, type BrokerConnectionOptions } from './broker-connection.ts';
import { createConnectionBuffers, type ConnectionBuffers } from './connection-buffers.ts';
import { createInflightBudget, type InflightBudget } from './inflight-budget.ts';
import { createMessageRouter, type MessageRouter } from './message-router.ts';
import { ReadTurn } from './read-turn.ts';
import { createSessionHandover, type SessionHandover } from './session-handover.ts';
import type { BrokerSession, SessionStore } from './session-store.ts';
import type { MessageSink, MqttTransport, PublishOptions } from './transport.ts';

export interface ExternalClientOptions {
  readonly config: Config & { readonly mqttUrl: string };
  readonly telemetry: Telemetry;
  /** Names this node at the broker: stable over restarts, no other node's. */
  readonly nodeId: string;
  /** Where nodes say that they live; without it a dead node's messages wait for that node. */
  readonly sessions?: SessionStore;
  /** What else talks to the broker ends with it. */
  readonly onStop?: () => Promise<void>;
  /** Longest wait of `start()` for the broker. @default 5000 */
  readonly startTimeoutMs?: number;
  /** First delay before connecting again; it doubles up to 30 s. @default 500 */
  readonly reconnectDelayMs?: number;
  /** @default 30 */
  readonly keepaliveSeconds?: number;
}

const windowMaxOfProtocol = 65_535;
/** QoS 1 publishes of plugins that wait for the broker. */
const publishesMax = 1000;

export function createExternalClient(options: ExternalClientOptions): MqttTransport {
  return new ExternalClient(options);
}

interface PluginConnection {
  readonly connection: BrokerConnection;
  readonly router: MessageRouter;
}

/**
 * An external broker, through one connection for each plugin that subscribes and one for publishing. Of their own: a
 * client acknowledges in the order of receipt, so on a shared connection one plugin's failing batch would hold up all.
 */
class ExternalClient implements MqttTransport {
  readonly kind = 'external';
  readonly #options: ExternalClientOptions;
  readonly #url: URL;
  readonly #log: Logger;
  readonly #budget: InflightBudget;
  readonly #buffers: ConnectionBuffers;
  readonly #turn: ReadTurn;
  readonly #plugins = new Map<string, PluginConnection>();
  readonly #readyPlugins = new Set<string>();
  readonly #handover: SessionHandover | undefined;
  /** Plugins that other nodes take messages of. */
  #shared: ReadonlySet<string> = new Set();
  #publisher: BrokerConnection | undefined;
  #publishing = 0;
  #onStateChange = (): void => undefined;

  constructor(options: ExternalClientOptions) {
    const { config, telemetry } = options;
    this.#options = options;
    this.#url = new URL(config.mqttUrl);
    this.#log = telemetry.logger.child({ component: 'mqtt' });
    this.#budget = createInflightBudget({
      messagesMax: config.mqttInflightMax,
      bytesMax: config.mqttInflightMaxBytes,
      metrics: telemetry.metrics,
    });
    this.#buffers = createConnectionBuffers(telemetry.metrics);
    this.#turn = new ReadTurn({ maxMs: config.mqttReadTurnMs });
    this.#handover = options.sessions === undefined ? undefined : this.#createHandover(options.sessions);
  }

  get address(): string {
    return `${this.#url.protocol}//${this.#url.host}`;
  }

  get connected(): boolean {
    const connections = [this.#publisher, ...this.#plugins.values().map((entry) => entry.connection)];
    return connections.every((connection) => connection?.connected === true);
  }

  get problem(): string | null {
    return this.connected
      ? null
      : `Cannot reach the MQTT broker at ${this.#url.host}: messages wait there until it is back`;
  }

  async start(): Promise<void> {
    const { nodeId, telemetry, startTimeoutMs = 5000 } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onStateChange = () => {
      if (this.connected) resolve();
    };
    const timer = setTimeout(resolve, startTimeoutMs);
    const watch = { topics: Object.keys(brokerFigureTopics), ...createBrokerFigures(telemetry.metrics) };
    this.#publisher = this.#connect({
      clientId: `returnit-${nodeId}`,
      group: 'returnit',
      router: this.#createRouter(),
      watch,
    });
    await promise;
    clearTimeout(timer);
    this.#onStateChange = () => undefined;
    this.#handover?.start();
    if (this.connected) return;
    const message = `Cannot reach the MQTT broker at ${this.#url.host}: it does not answer`;
    const error = new AppError('BROKER_UNREACHABLE', message);
    this.#log.error({ err: error }, 'Started without the MQTT broker: it is tried again');
  }

  async stop(): Promise<void> {
    await this.#handover?.stop();
    await this.#options.onStop?.();
    const connections = [...this.#plugins.values()].map((entry) => entry.connection);
    if (this.#publisher !== undefined) connections.push(this.#publisher);
    this.#plugins.clear();
    await Promise.all(connections.map((connection) => connection.stop()));
    this.#options.telemetry.metrics.gauge('returnit_mqtt_connected').set({}, 0);
  }

  async subscribe(plugin: string, filter: string, sink: MessageSink): Promise<void> {
    const { connection, router } = this.#plugins.getOrInsertComputed(plugin, () => this.#connectPlugin(plugin));
    router.subscribe({ plugin, filter, sink });
    connection.subscribe(filter, sink);
  }

  expect(): void {
    // The broker keeps what nobody has subscribed to yet, once a subscription was ever made.
  }

  ready(plugin: string): void {
    this.#readyPlugins.add(plugin);
    this.#plugins.get(plugin)?.router.ready(plugin);
  }

  async publish(topic: string, payload: string, publishOptions: PublishOptions): Promise<void> {
    const { host } = this.#url;
    if (this.#publisher?.connected !== true) {
      throw new AppError('BROKER_UNREACHABLE', `Cannot publish a message: the MQTT broker at ${host} does not answer`);
    }
    if (this.#publishing >= publishesMax) {
      throw new AppError('OVERLOADED', `Cannot publish a message: ${publishesMax} wait for the MQTT broker`);
    }
    this.#publishing += 1;
    try {
      await this.#publisher.publish(topic, payload, publishOptions);
    } catch (error) {
      const message = `Cannot publish a message: the MQTT broker at ${host} did not take it`;
      throw new AppError('BROKER_UNREACHABLE', message, { cause: error });
    } finally {
      this.#publishing -= 1;
    }
  }

  disconnect(): void {
    // An external broker admits devices by its own list, and keeps them.
  }

  #connectPlugin(plugin: string): PluginConnection {
    const router = this.#createRouter();
    // The broker kept messages for subscriptions that the plugin has yet to make again.
    if (!this.#readyPlugins.has(plugin)) router.expect(plugin, ['#']);
    const connection = this.#connect({ clientId: this.#clientIdOf(plugin), group: `returnit-${plugin}`, router });
    connection.share(this.#isShared(plugin));
    return { connection, router };
  }

  /** Where nodes do not know each other, there may always be others. */
  #isShared(plugin: string): boolean {
    return this.#handover === undefined || this.#shared.has(plugin);
  }

  #clientIdOf(plugin: string): string {
    return `returnit-${this.#options.nodeId}-${plugin}`;
  }

  #createHandover(store: SessionStore): SessionHandover {
    const { config, telemetry } = this.#options;
    return createSessionHandover({
      store,
      leaseMs: config.mqttHandoverAfterMs,
      own: () => this.#ownSessions(),
      onOthers: (plugins) => {
        this.#shared = plugins;
        for (const [plugin, { connection }] of this.#plugins) connection.share(plugins.has(plugin));
      },
      drain: (session) => {
        const own = this.#plugins.get(session.plugin);
        if (own === undefined) throw new TypeError(`no connection of plugin ${session.plugin}`);
        return own.connection.drain(session);
      },
      handovers: telemetry.metrics.counter('returnit_mqtt_session_handovers_total'),
      log: this.#log,
    });
  }

  #ownSessions(): readonly BrokerSession[] {
    return [...this.#plugins]
      .map(([plugin, { connection }]) => ({ clientId: this.#clientIdOf(plugin), plugin, filters: connection.filters }))
      .filter(({ filters }) => filters.length > 0);
  }

  #createRouter(): MessageRouter {
    const { telemetry, config } = this.#options;
    return createMessageRouter({ telemetry, waitingMax: config.mqttInflightMax });
  }

  #connect(session: Pick<BrokerConnectionOptions, 'clientId' | 'group' | 'router' | 'watch'>): BrokerConnection {
    const { config, telemetry, reconnectDelayMs = 500, keepaliveSeconds } = this.#options;
    const { metrics } = telemetry;
    return createBrokerConnection({
      url: this.#url,
      ...session,
      guarded: config.mqttShareGuard === 'plain',
      packetMaxBytes: config.mqttPacketMaxBytes,
      windowMax: Math.min(windowMaxOfProtocol, Math.max(1, Math.floor(config.mqttInflightMax / 2))),
      reconnectDelayMs,
      ...(keepaliveSeconds === undefined ? {} : { keepaliveSeconds }),
      budget: this.#budget,
      buffers: this.#buffers,
      turn: this.#turn,
      dropped: metrics.counter('returnit_mqtt_messages_dropped_total'),
      guardCopies: metrics.counter('returnit_mqtt_guard_copies_total'),
      reconnects: metrics.counter('returnit_mqtt_reconnects_total'),
      ackDuration: metrics.histogram('returnit_mqtt_ack_duration_seconds'),
      log: this.#log,
      onStateChange: () => {
        metrics.gauge('returnit_mqtt_connected').set({}, this.connected ? 1 : 0);
        this.#onStateChange();
      },
    });
  }
}
