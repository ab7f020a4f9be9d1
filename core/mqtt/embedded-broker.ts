import type { EventEmitter } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { Credentials } from './credentials.ts';
import { createDeviceAccess } from './device-access.ts';
import { MessageConnection } from './message-connection.ts';
import { createDeviceDirectory } from './device-directory.ts';
import { createFailureLimit, type FailureLimit } from './failure-limit.ts';
import { createInflightBudget } from './inflight-budget.ts';
import { IncomingMessage } from './incoming-message.ts';
import { createMessageRouter } from './message-router.ts';
import type { MqttTransport, PublishOptions } from './transport.ts';

export interface EmbeddedBrokerOptions {
  readonly config: Config;
  readonly telemetry: Telemetry;
  readonly credentials: Credentials;
  /** @default 20 failures of one address in a minute */
  readonly failureLimit?: FailureLimit;
  /** Messages of one device in flight. @default 1000 */
  readonly windowMax?: number;
}

const connectTimeoutMs = 10_000;
/** A device that does not read what it subscribed to is disconnected after this. */
const drainTimeoutMs = 10_000;
/** Longer than one and a half times the longest keep-alive that apps use by default (OwnTracks: an hour). */
const idleTimeoutMs = 2 * 3_600_000;
const retainedTopicsMax = 10_000;

/**
 * The MQTT 3.1.1 broker inside the core. A device's PUBLISH is acknowledged when the plugins that subscribe to it have
 * committed it: the broker library acknowledges at once, the connection's FrameGate holds that back.
 */
export function createEmbeddedBroker(options: EmbeddedBrokerOptions): MqttTransport {
  const { config, telemetry, credentials } = options;
  const { metrics } = telemetry;
  const log = telemetry.logger.child({ component: 'mqtt' });
  const dropped = metrics.counter('returnit_mqtt_messages_dropped_total');
  const ackDuration = metrics.histogram('returnit_mqtt_ack_duration_seconds');
  const connectedGauge = metrics.gauge('returnit_mqtt_connected');
  const budget = createInflightBudget({
    messagesMax: config.mqttInflightMax,
    bytesMax: config.mqttInflightMaxBytes,
    gauge: metrics.gauge('returnit_mqtt_inflight_messages'),
  });
  const router = createMessageRouter({ telemetry, waitingMax: Math.ceil(config.mqttInflightMax / 2) });
  const directory = createDeviceDirectory({ credentials, connections: metrics.gauge('returnit_live_connections') });
  const aedes = new Aedes({
    // Unlimited: a device that does not read must not keep messages from the others. What waits is bounded by the budget.
    concurrency: 0,
    connectTimeout: connectTimeoutMs,
    drainTimeout: drainTimeoutMs,
    maxClientsIdLength: Number.MAX_SAFE_INTEGER,
    ...createDeviceAccess({
      credentials,
      directory,
      failureLimit: options.failureLimit ?? createFailureLimit(),
      telemetry,
    }),
  });
  aedes.on('clientError', (client, error) => log.debug({ err: error, client: client.id }, 'Connection ended'));
  aedes.on('connectionError', (_client, error) => log.debug({ err: error }, 'Connection refused'));
  const failures: EventEmitter = aedes;
  failures.on('error', (error: Error) => log.error({ err: error }, 'Broker failed'));
  const retainedTopics = new Set<string>();
  let server: Server | undefined;

  function connect(socket: Socket): void {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.setTimeout(idleTimeoutMs, () => socket.destroy());
    const connection = new MessageConnection({
      socket,
      address: socket.remoteAddress ?? 'unknown',
      side: 'server',
      packetMaxBytes: config.mqttPacketMaxBytes,
      windowMax: options.windowMax ?? 1000,
      budget,
      router,
      dropped,
      ackDuration,
    });
    directory.add(connection);
    aedes.handle(connection.gate);
  }

  /** A plugin's message for plugins: they get it from an external broker too. */
  function routeOwn(topic: string, payload: string): void {
    if (!router.isSubscribed(topic)) return;
    const bytes = Buffer.byteLength(payload);
    if (!router.hasRoom(topic) || !budget.reserve(bytes)) {
      throw new AppError('OVERLOADED', 'Cannot publish a message: too many wait for their subscriber');
    }
    const message = { topic, payload: Buffer.from(payload), qos: 0, username: null, receivedAtMs: Date.now() } as const;
    router.route(
      new IncomingMessage({ ...message, retained: false, duplicate: false, onEnd: () => budget.release(bytes) }),
    );
  }

  function countRetained(topic: string, payload: string): void {
    // An empty retained message removes the one before it [MQTT-3.3.1-10].
    if (payload === '') retainedTopics.delete(topic);
    else if (retainedTopics.size >= retainedTopicsMax && !retainedTopics.has(topic)) {
      throw new AppError('OVERLOADED', `Cannot retain a message: ${retainedTopicsMax} topics have one`);
    } else retainedTopics.add(topic);
  }

  async function publish(topic: string, payload: string, { qos, retain }: PublishOptions): Promise<void> {
    if (retain) countRetained(topic, payload);
    routeOwn(topic, payload);
    const packet = { cmd: 'publish', topic, payload: Buffer.from(payload), qos, retain, dup: false } as const;
    await new Promise<void>((resolve, reject) => {
      aedes.publish(packet, (error) => (error ? reject(error) : resolve()));
    });
  }

  function address(): string {
    const bound = server?.address() as AddressInfo | null | undefined;
    const host = config.mqttHost.includes(':') ? `[${config.mqttHost}]` : config.mqttHost;
    return `mqtt://${host}:${bound?.port ?? config.mqttPort}`;
  }

  return {
    kind: 'embedded',
    get address() {
      return address();
    },
    get connected() {
      return server?.listening === true;
    },
    get problem() {
      return server?.listening === true ? null : 'The embedded broker does not listen';
    },
    async start() {
      await aedes.listen();
      server = createServer(connect);
      server.maxConnections = config.mqttConnectionsMax;
      server.on('drop', () => dropped.inc({ reason: 'too-many-connections' }));
      await listen(server, config);
      connectedGauge.set({}, 1);
      metrics.gauge('returnit_live_connections_max').set({ transport: 'mqtt' }, config.mqttConnectionsMax);
    },
    async stop() {
      const closing = server;
      if (closing === undefined) return;
      server = undefined;
      connectedGauge.set({}, 0);
      const closed = new Promise<void>((resolve) => closing.close(() => resolve()));
      directory.stop();
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      await closed;
    },
    async subscribe(plugin, filter, sink) {
      router.subscribe({ plugin, filter, sink });
    },
    expect: router.expect,
    ready: router.ready,
    publish,
    disconnect: directory.disconnect,
  };
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
