import type { IncomingMessage } from './incoming-message.ts';

/** Where the messages of one subscription go. */
export interface MessageSink {
  deliver(message: IncomingMessage): void;
  /**
   * False while no more should be read for it: its plugin is slow or gone, and what waits is bounded.
   *
   * @param held - what the sender has here already: who has much is refused before who has little. @default 0
   */
  hasRoom(held?: number): boolean;
}

export interface PublishOptions {
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** After so many seconds nobody gets it any more. Not with `retain`. @default never */
  readonly expirySeconds?: number;
}

/** The broker as the capability sees it: the embedded one or an external one. */
export interface MqttTransport {
  readonly kind: 'embedded' | 'external';
  /**
   * Embedded: listens. External: waits a bounded time for the broker, then goes on without it.
   *
   * @throws {AppError} PORT_IN_USE
   */
  start(): Promise<void>;
  /** Accepts nothing more, lets acknowledgements of handled messages leave, closes every connection. */
  stop(): Promise<void>;
  /** `mqtt://127.0.0.1:1883`, without credentials. */
  readonly address: string;
  readonly connected: boolean;
  /** For readiness: what is wrong, or null. */
  readonly problem: string | null;
  /** A subscription lasts as long as the core: messages wait in its sink while its plugin is away. */
  subscribe(plugin: string, filter: string, sink: MessageSink): Promise<void>;
  /** Before a plugin has subscribed: messages for these filters wait for it and are not acknowledged. */
  expect(plugin: string, filters: readonly string[]): void;
  /** The plugin has made all its subscriptions: what it does not want is acknowledged and dropped from now on. */
  ready(plugin: string): void;
  /** @throws {AppError} BROKER_UNREACHABLE, OVERLOADED */
  publish(topic: string, payload: string, options: PublishOptions): Promise<void>;
  /** Ends every connection of this user; an external broker's stay, its list is its own. */
  disconnect(username: string): void;
}
