import { connect, type MqttClient } from 'mqtt';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Counter } from '#core/telemetry/metrics.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';

/** What nodes of one installation tell each other through the external broker. */
export interface NodeMessages {
  readonly connected: boolean;
  /** Never throws and never waits. What cannot go now is dropped and counted: these messages are worth nothing later. */
  publish(name: string, payload: string, options: { readonly mustArrive: boolean }): void;
  listen(receiver: NodeMessagesReceiver): void;
  stop(): Promise<void>;
}

export interface NodeMessagesReceiver {
  onMessage(name: string, payload: Buffer): void;
  /** Connected again: what was sent meanwhile is lost. */
  onGap(): void;
}

export interface NodeMessagesOptions {
  readonly url: string;
  readonly nodeId: string;
  readonly telemetry: Telemetry;
  /** Topics below it are the nodes' own. */
  readonly prefix: string;
}

/** Unsent bytes above which newer messages are dropped: the broker is slower than what is published. */
const unsentMaxBytes = 1_048_576;
const keepaliveSeconds = 15;
const reconnectDelayMs = 1000;

/**
 * A connection of its own beside those of the plugins: without a session, so that nothing old waits for a node that was
 * away, and not shared, so that every node hears everything. A node does not hear itself.
 */
export function createNodeMessages(options: NodeMessagesOptions): NodeMessages {
  return new Connection(options);
}

class Connection implements NodeMessages {
  readonly #options: NodeMessagesOptions;
  readonly #client: MqttClient;
  readonly #messages: Counter;
  readonly #log: Logger;
  #receiver: NodeMessagesReceiver | undefined;

  constructor(options: NodeMessagesOptions) {
    const { telemetry, url, nodeId } = options;
    this.#options = options;
    this.#log = telemetry.logger.child({ component: 'mqtt' });
    this.#messages = telemetry.metrics.counter('returnit_mqtt_node_messages_total');
    this.#client = connect(url, {
      clientId: `returnit-${nodeId}-nodes`,
      protocolVersion: 5,
      clean: true,
      keepalive: keepaliveSeconds,
      reconnectPeriod: reconnectDelayMs,
      resubscribe: false,
      queueQoSZero: false,
    });
    this.#client.on('connect', () => void this.#subscribe());
    this.#client.on('message', (topic, payload) => this.#receive(topic, payload));
    this.#client.on('error', (error) =>
      this.#log.warn({ err: error }, 'The connection between nodes failed: it is tried again'),
    );
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  publish(name: string, payload: string, { mustArrive }: { readonly mustArrive: boolean }): void {
    if (!this.#client.connected) return this.#count('sent', 'unreachable');
    if (!mustArrive && this.#client.stream.writableLength > unsentMaxBytes) return this.#count('sent', 'dropped');
    this.#client.publish(`${this.#options.prefix}/${name}`, payload, { qos: mustArrive ? 1 : 0 }, (error) =>
      this.#count('sent', error ? 'failed' : 'ok'),
    );
  }

  listen(receiver: NodeMessagesReceiver): void {
    this.#receiver = receiver;
  }

  async stop(): Promise<void> {
    await this.#client.endAsync(true);
  }

  async #subscribe(): Promise<void> {
    const filter = `${this.#options.prefix}/#`;
    try {
      await this.#client.subscribeAsync(filter, { qos: 1, nl: true });
      this.#receiver?.onGap();
    } catch (error) {
      this.#log.error({ err: error, filter }, 'The broker does not let the nodes hear each other');
    }
  }

  #receive(topic: string, payload: Buffer): void {
    const { prefix } = this.#options;
    if (!topic.startsWith(`${prefix}/`)) return;
    this.#count('received', 'ok');
    this.#receiver?.onMessage(topic.slice(prefix.length + 1), payload);
  }

  #count(direction: string, outcome: string): void {
    this.#messages.inc({ direction, outcome });
  }
}
