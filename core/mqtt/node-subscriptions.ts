import { randomUUID } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import type { Logger } from '#core/telemetry/logger.ts';
import { subscriptionIdentifier, toShared } from './broker-client-options.ts';
import { nodeTopicPrefix } from './reserved-topic.ts';
import type { MessageSink } from './transport.ts';

export interface NodeSubscriptionsOptions {
  readonly client: MqttClient;
  readonly clientId: string;
  /** Name of the shared subscription: every node of the plugin takes its part of the messages. */
  readonly group: string;
  /** Whether the plain subscription stays beside the shared one. */
  readonly guarded: boolean;
  /** First delay before a refused subscription is asked for again; it doubles up to 30 s. */
  readonly retryDelayMs: number;
  readonly log: Logger;
}

/** A message, and the subscriptions for which the broker sends it. */
export interface AddressedMessage {
  readonly topic: string;
  readonly payload: Buffer | string;
  readonly identifiers: readonly number[];
}

/** What a node asks an external broker for, in one session, and whose a message is. */
export interface NodeSubscriptions {
  readonly filters: readonly string[];
  add(filter: string, sink: MessageSink): void;
  /** Whether other nodes take their part: then messages come by the shared subscription too. */
  share(isShared: boolean): void;
  /** A connection is made: everything is asked for again, without sharing where the broker speaks no MQTT 5. */
  onConnect(version: 4 | 5): void;
  onClose(): void;
  /** Undefined when the message says no subscription of this node: it goes by its topic. */
  sinksOf(packet: AddressedMessage): readonly MessageSink[] | undefined;
  /** The same of another node's session: nothing that it holds is passed over. */
  sinksOfOther(packet: AddressedMessage): readonly MessageSink[] | undefined;
}

interface Subscription {
  readonly filter: string;
  readonly sink: MessageSink;
  /** Everything that the plain subscription brings from here on comes by the shared one too. */
  isCovered: boolean;
  /** What was asked for before is void. */
  asked: number;
  failures: number;
  retry?: NodeJS.Timeout;
}

const retryDelayMaxMs = 30_000;

export function createNodeSubscriptions(options: NodeSubscriptionsOptions): NodeSubscriptions {
  return new Subscriptions(options);
}

/**
 * A Mosquitto that was restarted knows the plain subscriptions of its sessions and has forgotten the shared ones: what
 * devices send until a node is back would match nobody and be acknowledged (seen with 2.0.11 and 2.0.22). So a node keeps a
 * plain subscription. While it is alone it has no other. Among several, the shared one says whose a message is, and the
 * copies that come by the plain one are passed over, once all that came before the shared one was made is here: a message
 * to itself tells, since a session gets its messages in order.
 */
class Subscriptions implements NodeSubscriptions {
  readonly #options: NodeSubscriptionsOptions;
  readonly #markTopic: string;
  /** Marks of an earlier process may still wait in the session. */
  readonly #process = randomUUID();
  readonly #plain = new Map<number, Subscription>();
  readonly #shared = new Map<number, Subscription>();
  #isShared = false;
  #version: 4 | 5 = 5;

  constructor(options: NodeSubscriptionsOptions) {
    this.#options = options;
    this.#markTopic = `${nodeTopicPrefix}/${options.clientId}`;
  }

  get filters(): readonly string[] {
    return this.#version === 5 ? [...this.#plain.values()].map(({ filter }) => filter) : [];
  }

  add(filter: string, sink: MessageSink): void {
    const { client, group } = this.#options;
    const subscription: Subscription = { filter, sink, isCovered: false, asked: 0, failures: 0 };
    this.#plain.set(subscriptionIdentifier(filter), subscription);
    this.#shared.set(subscriptionIdentifier(toShared(group, filter)), subscription);
    if (client.connected) this.#ask(subscription);
  }

  share(isShared: boolean): void {
    if (this.#isShared === isShared) return;
    this.#isShared = isShared;
    if (this.#options.client.connected && this.#version === 5) this.#askAll();
  }

  onConnect(version: 4 | 5): void {
    this.#version = version;
    this.#askAll();
  }

  onClose(): void {
    for (const subscription of this.#plain.values()) this.#void(subscription);
  }

  sinksOf(packet: AddressedMessage): readonly MessageSink[] | undefined {
    if (packet.topic === this.#markTopic) this.#passMark(String(packet.payload));
    return this.#find(packet, ({ isCovered }) => isCovered);
  }

  sinksOfOther(packet: AddressedMessage): readonly MessageSink[] | undefined {
    return this.#find(packet, () => false);
  }

  #find(
    { topic, identifiers }: AddressedMessage,
    isPassedOver: (plain: Subscription) => boolean,
  ): readonly MessageSink[] | undefined {
    if (topic.startsWith(`${nodeTopicPrefix}/`)) return [];
    const sinks: MessageSink[] = [];
    let isKnown = false;
    for (const identifier of identifiers) {
      const plain = this.#plain.get(identifier);
      const found = plain ?? this.#shared.get(identifier);
      if (found === undefined) continue;
      isKnown = true;
      if (plain === undefined || !isPassedOver(plain)) sinks.push(found.sink);
    }
    return isKnown ? sinks : undefined;
  }

  #askAll(): void {
    for (const subscription of this.#plain.values()) this.#ask(subscription);
  }

  #void(subscription: Subscription): number {
    clearTimeout(subscription.retry);
    // Until a mark has come, nothing that comes is known to come twice.
    subscription.isCovered = false;
    return (subscription.asked += 1);
  }

  #ask(subscription: Subscription): void {
    const asked = this.#void(subscription);
    const isCurrent = (): boolean => subscription.asked === asked;
    this.#request(subscription, isCurrent).then(
      () => (subscription.failures = 0),
      (error: unknown) => {
        // A connection that has ended asks for everything again when it is back.
        if (!isCurrent() || !this.#options.client.connected) return;
        const { retryDelayMs, log } = this.#options;
        log.error({ err: error, filter: subscription.filter }, 'The broker refuses a subscription: it is asked again');
        const delayMs = Math.min(retryDelayMaxMs, retryDelayMs * 2 ** Math.min(subscription.failures, 10));
        subscription.failures += 1;
        subscription.retry = setTimeout(() => this.#ask(subscription), delayMs);
      },
    );
  }

  /** Never without a subscription: what is new is made before what is old ends. */
  async #request(subscription: Subscription, isCurrent: () => boolean): Promise<void> {
    const { client, group, guarded } = this.#options;
    const { filter } = subscription;
    const shared = toShared(group, filter);
    if (this.#version === 4) return this.#subscribe(filter);
    if (!this.#isShared) {
      await this.#subscribe(filter);
      if (isCurrent()) await client.unsubscribeAsync(shared);
    } else if (!guarded) {
      await this.#subscribe(shared);
      if (isCurrent()) await client.unsubscribeAsync(filter);
    } else {
      await Promise.all([filter, shared, this.#markTopic].map((each) => this.#subscribe(each)));
      if (isCurrent()) await client.publishAsync(this.#markTopic, this.#markOf(subscription), { qos: 1 });
    }
  }

  async #subscribe(filter: string): Promise<void> {
    // Not what is retained: it was handled when it was new. MQTT 3.1.1 knows no such wish.
    const properties = { subscriptionIdentifier: subscriptionIdentifier(filter) };
    const wishes = this.#version === 5 ? { rh: 2 as const, properties } : {};
    await this.#options.client.subscribeAsync(filter, { qos: 1, ...wishes });
  }

  #passMark(mark: string): void {
    for (const subscription of this.#plain.values()) {
      if (this.#markOf(subscription) === mark) subscription.isCovered = true;
    }
  }

  #markOf({ filter, asked }: Subscription): string {
    return `${this.#process} ${asked} ${filter}`;
  }
}
