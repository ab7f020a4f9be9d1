import { createHash } from 'node:crypto';
import { MqttClient, type IClientOptions, type IPublishPacket } from 'mqtt';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Counter, Histogram } from '#core/telemetry/metrics.ts';
import { openBrokerStream } from './broker-stream.ts';
import type { InflightBudget } from './inflight-budget.ts';
import { MessageConnection } from './message-connection.ts';
import type { MessageRouter } from './message-router.ts';
import type { MessageSink } from './transport.ts';

export interface BrokerConnectionOptions {
  readonly url: URL;
  /** The same after a restart, and no other node's: the broker keeps what is not acknowledged under it. */
  readonly clientId: string;
  /** Name of the shared subscription: every node of the plugin takes its part of the messages. */
  readonly group: string;
  readonly packetMaxBytes: number;
  readonly windowMax: number;
  readonly reconnectDelayMs: number;
  readonly budget: InflightBudget;
  readonly router: MessageRouter;
  readonly dropped: Counter;
  readonly reconnects: Counter;
  readonly ackDuration: Histogram;
  readonly log: Logger;
  readonly onStateChange: () => void;
}

export interface BrokerConnection {
  readonly connected: boolean;
  subscribe(filter: string, sink: MessageSink): void;
  publish(topic: string, payload: string, options: { readonly qos: 0 | 1; readonly retain: boolean }): Promise<void>;
  stop(): Promise<void>;
}

/** A broker that speaks no MQTT 5 says so in different ways; one that answers in the form of 3.1.1 cannot be parsed. */
const versionRefusals = new Set<unknown>([1, 132]);
const reconnectDelayMaxMs = 30_000;
const sessionExpirySeconds = 7 * 86_400;
const keepaliveSeconds = 30;
/** MQTT 3.1.1 cannot tell the broker a limit. */
const packetMaxBytesOfOldBroker = 16_777_216;

/** Stays the same for a filter, so that messages kept for an earlier process find the same subscription. */
export function subscriptionIdentifier(filter: string): number {
  return (createHash('sha256').update(filter).digest().readUInt32BE(0) % 268_435_454) + 1;
}

/**
 * One connection to an external broker. MQTT.js reads packet after packet and writes each acknowledgement at once; the gate
 * below it holds those until the message is settled, and sends them in the order of receipt [MQTT-4.6.0-2].
 */
export function createBrokerConnection(options: BrokerConnectionOptions): BrokerConnection {
  const { url, log } = options;
  const sinks = new Map<number, { readonly filter: string; readonly sink: MessageSink }>();
  let version: 4 | 5 = 5;
  let connection: MessageConnection | undefined;
  let failures = 0;
  let connections = 0;

  const client = new MqttClient(open, {
    ...credentialsOf(url),
    clientId: options.clientId,
    protocolVersion: version,
    clean: false,
    keepalive: keepaliveSeconds,
    reschedulePings: true,
    resubscribe: false,
    reconnectOnConnackError: true,
    reconnectPeriod: options.reconnectDelayMs,
    connectTimeout: 10_000,
    queueQoSZero: false,
    properties: {
      sessionExpiryInterval: sessionExpirySeconds,
      receiveMaximum: options.windowMax,
      maximumPacketSize: options.packetMaxBytes,
    },
  });

  function open(): MessageConnection['gate'] {
    connection = new MessageConnection({
      socket: openBrokerStream(url),
      address: url.host,
      side: 'client',
      packetMaxBytes: version === 5 ? options.packetMaxBytes : packetMaxBytesOfOldBroker,
      windowMax: version === 5 ? null : options.windowMax,
      budget: options.budget,
      router: options.router,
      dropped: options.dropped,
      ackDuration: options.ackDuration,
    });
    return connection.gate;
  }

  function receive(packet: IPublishPacket): void {
    const identifiers = [packet.properties?.subscriptionIdentifier ?? []].flat();
    const publish = {
      topic: packet.topic,
      payload: packet.payload,
      qos: packet.qos,
      dup: packet.dup,
      retain: packet.retain,
      messageId: packet.messageId ?? 0,
    };
    const found = identifiers.map((identifier) => sinks.get(identifier)?.sink).filter((sink) => sink !== undefined);
    // The broker sends a copy for each shared subscription that matches and says which: matching again would double them.
    if (found.length === 0) connection?.accept(publish);
    else connection?.accept(publish, (message) => found.forEach((sink) => sink.deliver(message)));
  }

  function requestSubscription(filter: string): void {
    const shared = version === 5 ? `$share/${options.group}/${filter}` : filter;
    const properties = { subscriptionIdentifier: subscriptionIdentifier(filter) };
    client.subscribe(shared, { qos: 1, rh: 2, ...(version === 5 ? { properties } : {}) }, (error) => {
      if (error) log.error({ err: error, filter }, 'The broker refuses a subscription');
    });
  }

  client.on('message', (_topic, _payload, packet) => receive(packet));
  client.on('connect', () => {
    failures = 0;
    connections += 1;
    if (connections > 1) options.reconnects.inc();
    client.options.reconnectPeriod = options.reconnectDelayMs;
    for (const { filter } of sinks.values()) requestSubscription(filter);
    options.onStateChange();
  });
  client.on('close', () => {
    failures += 1;
    const delayMs = Math.min(reconnectDelayMaxMs, options.reconnectDelayMs * 2 ** Math.min(failures, 10));
    client.options.reconnectPeriod = Math.ceil(delayMs * (0.75 + Math.random() / 4));
    options.onStateChange();
  });
  client.on('error', (error: Error & { code?: unknown }) => {
    const refusesVersion = versionRefusals.has(error.code) || /properties|connack/i.test(error.message);
    if (version === 5 && connections === 0 && refusesVersion && !/timeout/.test(error.message)) {
      version = 4;
      client.options.protocolVersion = 4;
      log.warn('The broker does not speak MQTT 5: without shared subscriptions every node gets every message');
    }
    log.warn({ err: error, broker: url.host, failures }, 'The connection to the broker failed: it is tried again');
    options.onStateChange();
  });

  return {
    get connected() {
      return client.connected;
    },
    subscribe(filter, sink) {
      sinks.set(subscriptionIdentifier(filter), { filter, sink });
      if (client.connected) requestSubscription(filter);
    },
    async publish(topic, payload, { qos, retain }) {
      await client.publishAsync(topic, payload, { qos, retain });
    },
    async stop() {
      // Without a DISCONNECT in between: the session, and with it what is not acknowledged, stays at the broker.
      await client.endAsync(true);
      connection?.end();
    },
  };
}

function credentialsOf(url: URL): Pick<IClientOptions, 'username' | 'password'> {
  if (url.username === '') return {};
  return { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
}
