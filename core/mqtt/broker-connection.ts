import { MqttClient, type IPublishPacket } from 'mqtt';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Counter, Histogram } from '#core/telemetry/metrics.ts';
import { currentTraceparent } from '#core/telemetry/tracing.ts';
import { toClientOptions, toShared } from './broker-client-options.ts';
import { openBrokerStream } from './broker-stream.ts';
import type { ConnectionBuffers } from './connection-buffers.ts';
import type { InflightBudget } from './inflight-budget.ts';
import type { PublishHead } from './frame.ts';
import { keepWhileHeard } from './heard-broker.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { MessageConnection, type DirectMessage, type MessageConnectionOptions } from './message-connection.ts';
import type { MessageRouter } from './message-router.ts';
import { createNodeSubscriptions, type AddressedMessage, type NodeSubscriptions } from './node-subscriptions.ts';
import { readPublishProperties, toPublishProperties } from './publish-properties.ts';
import type { ReadTurn } from './read-turn.ts';
import { isReserved } from './reserved-topic.ts';
import { startSessionDrain, type SessionDrain } from './session-drain.ts';
import type { MessageSink, PublishOptions } from './transport.ts';

export interface BrokerConnectionOptions {
  readonly url: URL;
  /** The same after a restart, and no other node's: the broker keeps what is not acknowledged under it. */
  readonly clientId: string;
  /** Name of the shared subscription: every node of the plugin takes its part of the messages. */
  readonly group: string;
  /** Whether a plain subscription stays beside the shared one. */
  readonly guarded: boolean;
  readonly packetMaxBytes: number;
  readonly windowMax: number;
  readonly reconnectDelayMs: number;
  readonly keepaliveSeconds?: number;
  readonly budget: InflightBudget;
  readonly buffers: ConnectionBuffers;
  readonly turn: ReadTurn;
  readonly router: MessageRouter;
  readonly dropped: Counter;
  readonly reconnects: Counter;
  /** Messages passed over, since they come by the shared subscription too. */
  readonly guardCopies: Counter;
  readonly ackDuration: Histogram;
  readonly log: Logger;
  readonly onStateChange: () => void;
  /** Topics that are read as they come, apart from any plugin. */
  readonly watch?: { readonly topics: readonly string[]; receive(topic: string, payload: string): boolean };
}

export interface BrokerConnection {
  readonly connected: boolean;
  subscribe(filter: string, sink: MessageSink): void;
  /** Whether other nodes take their part of the messages. */
  share(isShared: boolean): void;
  /** What its session holds messages of, when the broker can share them among the nodes; empty otherwise. */
  readonly filters: readonly string[];
  publish(topic: string, payload: string, options: PublishOptions): Promise<void>;
  /** Empties another node's session of the same plugin. */
  drain(session: { readonly clientId: string; readonly filters: readonly string[] }): SessionDrain;
  stop(): Promise<void>;
}

/** A broker that speaks no MQTT 5 says so in different ways; one that answers in the form of 3.1.1 cannot be parsed. */
const versionRefusals = new Set<unknown>([1, 132]);
const reconnectDelayMaxMs = 30_000;
/** MQTT 3.1.1 cannot tell the broker a limit. */
const packetMaxBytesOfOldBroker = 16_777_216;

export function createBrokerConnection(options: BrokerConnectionOptions): BrokerConnection {
  return new Connection(options);
}

/**
 * One connection to an external broker. MQTT.js reads packet after packet and writes each acknowledgement at once; the gate
 * below it holds those until the message is settled, and sends them in the order of receipt [MQTT-4.6.0-2].
 */
class Connection implements BrokerConnection {
  readonly #options: BrokerConnectionOptions;
  readonly #client: MqttClient;
  readonly #subscriptions: NodeSubscriptions;
  #version: 4 | 5 = 5;
  #connection: MessageConnection | undefined;
  #earlier: MessageConnection | undefined;
  #failures = 0;
  #connections = 0;

  constructor(options: BrokerConnectionOptions) {
    this.#options = options;
    this.#client = new MqttClient(() => this.#connect().gate, toClientOptions(options));
    const { clientId, group, guarded, log, reconnectDelayMs: retryDelayMs } = options;
    this.#subscriptions = createNodeSubscriptions({
      client: this.#client,
      clientId,
      group,
      guarded,
      log,
      retryDelayMs,
    });
    this.#client.on('message', (_topic, _payload, packet) => this.#onMessage(packet));
    this.#client.on('connect', () => this.#onConnect());
    this.#client.on('close', () => this.#onClose());
    this.#client.on('error', (error) => this.#onError(error));
    keepWhileHeard(this.#client, () => this.#connection?.gate);
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  subscribe(filter: string, sink: MessageSink): void {
    this.#subscriptions.add(filter, sink);
  }

  share(isShared: boolean): void {
    this.#subscriptions.share(isShared);
  }

  async publish(topic: string, payload: string, { qos, retain, expirySeconds }: PublishOptions): Promise<void> {
    if (this.#version === 5) {
      const properties = toPublishProperties(expirySeconds, currentTraceparent());
      await this.#client.publishAsync(topic, payload, { qos, retain, ...(properties && { properties }) });
    } else {
      // MQTT 3.1.1 cannot tell when a message expires: of quality of service 0, the broker keeps it for nobody.
      await this.#client.publishAsync(topic, payload, { qos: expirySeconds === undefined ? qos : 0, retain });
    }
  }

  async stop(): Promise<void> {
    // Without a DISCONNECT in between: the session, and with it what is not acknowledged, stays at the broker.
    await this.#client.endAsync(true);
    this.#subscriptions.onClose();
    this.#connection?.end();
    this.#earlier?.end();
  }

  get filters(): readonly string[] {
    return this.#subscriptions.filters;
  }

  drain({ clientId, filters }: { readonly clientId: string; readonly filters: readonly string[] }): SessionDrain {
    let connection: MessageConnection | undefined;
    const open = (): MessageConnection['gate'] => (connection = this.#open()).gate;
    return startSessionDrain({
      client: new MqttClient(open, toClientOptions({ ...this.#options, clientId, reconnectDelayMs: 0 })),
      connection: () => connection,
      receive: (packet) => this.#accept(connection, packet, this.#subscriptions.sinksOfOther(toAddressed(packet))),
      subscriptions: filters.flatMap((filter) => [filter, toShared(this.#options.group, filter)]),
    });
  }

  /**
   * What the connection before has received is still handled: a broker that was killed does not send it again. One that
   * lives does; the tables know what comes twice. One connection's messages at most, so that they stay bounded.
   */
  #connect(): MessageConnection {
    this.#earlier?.end();
    this.#earlier = this.#connection;
    return (this.#connection = this.#open((head) => this.#readDirect(head)));
  }

  #open(direct?: MessageConnectionOptions['direct']): MessageConnection {
    const { url, packetMaxBytes, windowMax, budget, buffers, turn, router, dropped, ackDuration } = this.#options;
    const isNew = this.#version === 5;
    return new MessageConnection({
      socket: openBrokerStream(url),
      address: url.host,
      side: 'client',
      packetMaxBytes: isNew ? packetMaxBytes : packetMaxBytesOfOldBroker,
      windowMax,
      toldWindow: isNew,
      budget,
      buffers,
      turn,
      router,
      dropped,
      ackDuration,
      ...(direct === undefined ? {} : { direct }),
    });
  }

  /** A message of a subscription: what the library would read of it. Everything else takes the library's way. */
  #readDirect({ topic, retained, body }: PublishHead): DirectMessage | undefined {
    // MQTT 3.1.1 has no properties, and an empty topic stands for an alias.
    if (this.#version !== 5 || topic === '' || isReserved(topic)) return undefined;
    const properties = readPublishProperties(body);
    if (properties === undefined) return undefined;
    const { payload, subscriptionIdentifiers } = properties;
    const sinks = this.#subscriptions.sinksOf({ topic, payload, identifiers: subscriptionIdentifiers });
    if (sinks === undefined || sinks.length === 0) return undefined;
    return { payload, retained, route: (message) => deliver(message, sinks) };
  }

  #onMessage(packet: IPublishPacket): void {
    const { watch } = this.#options;
    if (packet.qos === 0 && packet.topic.startsWith('$SYS/')) {
      // Its place in the budget is given back at once.
      this.#connection?.refuse({ ...packet, messageId: 0 });
      watch?.receive(packet.topic, String(packet.payload));
      return;
    }
    this.#accept(this.#connection, packet, this.#subscriptions.sinksOf(toAddressed(packet)));
  }

  #accept(
    connection: MessageConnection | undefined,
    packet: IPublishPacket,
    sinks: readonly MessageSink[] | undefined,
  ): void {
    const { topic, payload, qos, dup, retain, messageId = 0 } = packet;
    const publish = { topic, payload, qos, dup, retain, messageId };
    // The broker sends a copy for each subscription that matches and says which: matching again would double them.
    if (sinks === undefined) connection?.accept(publish);
    else if (sinks.length === 0) {
      connection?.refuse(publish);
      this.#options.guardCopies.inc();
    } else {
      connection?.accept(publish, (message) => deliver(message, sinks));
    }
  }

  #requestWatched(): void {
    const { watch, log } = this.#options;
    if (watch === undefined) return;
    // A broker without these figures, or one that keeps them to itself, is as good as any.
    this.#client.subscribe([...watch.topics], { qos: 0 }, (error) => {
      if (error) log.debug({ err: error }, 'The broker does not tell its figures');
    });
  }

  #onConnect(): void {
    this.#failures = 0;
    this.#connections += 1;
    if (this.#connections > 1) this.#options.reconnects.inc();
    this.#client.options.reconnectPeriod = this.#options.reconnectDelayMs;
    this.#subscriptions.onConnect(this.#version);
    this.#requestWatched();
    this.#options.onStateChange();
  }

  #onClose(): void {
    this.#subscriptions.onClose();
    this.#failures += 1;
    const delayMs = Math.min(reconnectDelayMaxMs, this.#options.reconnectDelayMs * 2 ** Math.min(this.#failures, 10));
    this.#client.options.reconnectPeriod = Math.ceil(delayMs * (0.75 + Math.random() / 4));
    this.#options.onStateChange();
  }

  #onError(error: Error & { readonly code?: unknown }): void {
    const { log, url } = this.#options;
    const refusesVersion = versionRefusals.has(error.code) || /properties|cannot parse/i.test(error.message);
    if (this.#version === 5 && this.#connections === 0 && refusesVersion) {
      this.#version = 4;
      this.#client.options.protocolVersion = 4;
      log.warn('The broker does not speak MQTT 5: without shared subscriptions every node gets every message');
    }
    log.warn({ err: error, broker: url.host }, 'The connection to the broker failed: it is tried again');
    // Not every error ends its connection, and only an ended one is opened again.
    this.#connection?.gate.destroy();
    this.#options.onStateChange();
  }
}

function deliver(message: IncomingMessage, sinks: readonly MessageSink[]): void {
  for (const sink of sinks) sink.deliver(message);
}

function toAddressed({ topic, payload, properties }: IPublishPacket): AddressedMessage {
  return { topic, payload, identifiers: [properties?.subscriptionIdentifier ?? []].flat() };
}
