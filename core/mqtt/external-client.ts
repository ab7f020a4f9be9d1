import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { createBrokerConnection, type BrokerConnection } from './broker-connection.ts';
import { createInflightBudget } from './inflight-budget.ts';
import { createMessageRouter, type MessageRouter } from './message-router.ts';
import type { MqttTransport } from './transport.ts';

export interface ExternalClientOptions {
  readonly config: Config & { readonly mqttUrl: string };
  readonly telemetry: Telemetry;
  /** Names this node at the broker: stable over restarts, no other node's. */
  readonly nodeId: string;
  /** Longest wait of `start()` for the broker. @default 5000 */
  readonly startTimeoutMs?: number;
  /** First delay before connecting again; it doubles up to 30 s. @default 500 */
  readonly reconnectDelayMs?: number;
}

const windowMaxOfProtocol = 65_535;
/** QoS 1 publishes of plugins that wait for the broker. */
const publishesMax = 1000;

/**
 * An external broker, through one connection for each plugin that subscribes and one for publishing. Of their own: a
 * client acknowledges in the order of receipt, so on a shared connection one plugin's failing batch would hold up all.
 */
export function createExternalClient(options: ExternalClientOptions): MqttTransport {
  const { config, telemetry, nodeId } = options;
  const { metrics } = telemetry;
  const log = telemetry.logger.child({ component: 'mqtt' });
  const url = new URL(config.mqttUrl);
  const connectedGauge = metrics.gauge('returnit_mqtt_connected');
  const budget = createInflightBudget({
    messagesMax: config.mqttInflightMax,
    bytesMax: config.mqttInflightMaxBytes,
    gauge: metrics.gauge('returnit_mqtt_inflight_messages'),
  });
  const plugins = new Map<string, { readonly connection: BrokerConnection; readonly router: MessageRouter }>();
  const readyPlugins = new Set<string>();
  let publisher: BrokerConnection | undefined;
  let publishing = 0;
  let onFirstState = (): void => undefined;

  function connect(clientId: string, group: string, router: MessageRouter): BrokerConnection {
    return createBrokerConnection({
      url,
      clientId,
      group,
      packetMaxBytes: config.mqttPacketMaxBytes,
      windowMax: Math.min(windowMaxOfProtocol, Math.max(1, Math.floor(config.mqttInflightMax / 2))),
      reconnectDelayMs: options.reconnectDelayMs ?? 500,
      budget,
      router,
      dropped: metrics.counter('returnit_mqtt_messages_dropped_total'),
      reconnects: metrics.counter('returnit_mqtt_reconnects_total'),
      ackDuration: metrics.histogram('returnit_mqtt_ack_duration_seconds'),
      log,
      onStateChange() {
        connectedGauge.set({}, isConnected() ? 1 : 0);
        onFirstState();
      },
    });
  }

  function createRouter(): MessageRouter {
    return createMessageRouter({ telemetry, waitingMax: config.mqttInflightMax });
  }

  function connectPlugin(plugin: string): { readonly connection: BrokerConnection; readonly router: MessageRouter } {
    const router = createRouter();
    // The broker kept messages for subscriptions that the plugin has yet to make again.
    if (!readyPlugins.has(plugin)) router.expect(plugin, ['#']);
    return { router, connection: connect(`returnit-${nodeId}-${plugin}`, `returnit-${plugin}`, router) };
  }

  function isConnected(): boolean {
    const all = [publisher, ...[...plugins.values()].map((entry) => entry.connection)];
    return all.every((connection) => connection?.connected === true);
  }

  return {
    kind: 'external',
    address: `${url.protocol}//${url.host}`,
    get connected() {
      return isConnected();
    },
    get problem() {
      return isConnected() ? null : `Cannot reach the MQTT broker at ${url.host}: messages wait there until it is back`;
    },
    async start() {
      const { promise, resolve } = Promise.withResolvers<void>();
      onFirstState = () => {
        if (isConnected()) resolve();
      };
      const timer = setTimeout(resolve, options.startTimeoutMs ?? 5000);
      publisher = connect(`returnit-${nodeId}`, 'returnit', createRouter());
      await promise;
      clearTimeout(timer);
      onFirstState = () => undefined;
      if (isConnected()) return;
      const error = new AppError(
        'BROKER_UNREACHABLE',
        `Cannot reach the MQTT broker at ${url.host}: it does not answer`,
      );
      log.error({ err: error }, 'Started without the MQTT broker: it is tried again');
    },
    async stop() {
      const all = [...plugins.values()].map((entry) => entry.connection);
      plugins.clear();
      await Promise.all(
        [...all, ...(publisher === undefined ? [] : [publisher])].map((connection) => connection.stop()),
      );
      connectedGauge.set({}, 0);
    },
    async subscribe(plugin, filter, sink) {
      const { connection, router } = plugins.getOrInsertComputed(plugin, () => connectPlugin(plugin));
      router.subscribe({ plugin, filter, sink });
      connection.subscribe(filter, sink);
    },
    expect() {
      // The broker keeps what nobody has subscribed to yet, once a subscription was ever made.
    },
    ready(plugin) {
      readyPlugins.add(plugin);
      plugins.get(plugin)?.router.ready(plugin);
    },
    async publish(topic, payload, publishOptions) {
      if (publisher?.connected !== true) {
        throw new AppError(
          'BROKER_UNREACHABLE',
          `Cannot publish a message: the MQTT broker at ${url.host} does not answer`,
        );
      }
      if (publishing >= publishesMax) {
        throw new AppError('OVERLOADED', `Cannot publish a message: ${publishesMax} wait for the MQTT broker`);
      }
      publishing += 1;
      try {
        await publisher.publish(topic, payload, publishOptions);
      } catch (error) {
        throw new AppError('BROKER_UNREACHABLE', 'Cannot publish a message: the MQTT broker did not take it', {
          cause: error,
        });
      } finally {
        publishing -= 1;
      }
    },
    disconnect() {
      // An external broker admits devices by its own list, and keeps them.
    },
  };
}
