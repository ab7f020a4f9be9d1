/**
 * One session-pinned connection for every LISTEN of this process. A notification is a hint that saves waiting for the
 * next poll, so whatever is lost while the connection is down is recovered by `onReconnect` and by polling.
 */
import { Client, type ClientBase, type ClientConfig } from 'pg';
import type { Logger } from '#core/telemetry/logger.ts';

export interface Notification {
  readonly channel: string;
  /** Less than 8,000 bytes. */
  readonly payload: string;
}

/**
 * Tells whoever listens, on any node, when this transaction commits. Postgres lets such transactions commit one after
 * another, each with its own write to the disk: for batches, not for each change.
 */
export async function notify(client: ClientBase, notifications: readonly Notification[]): Promise<void> {
  if (notifications.length === 0) return;
  await client.query('select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) n (channel, payload)', [
    notifications.map(({ channel }) => channel),
    notifications.map(({ payload }) => payload),
  ]);
}

export interface Subscription {
  onNotification(payload: string): void;
  /** Once the channel is listened to, and after each reconnection: what was notified before is lost. */
  onReconnect(): void;
  /** The connection is gone, or was found to be: until `onReconnect` nothing is heard. */
  onLost?(): void;
}

export interface Listener {
  start(): void;
  stop(): Promise<void>;
  /** Resolves once the channel is listened to; rejects never, since a lost connection comes back. */
  listen(channel: string, subscription: Subscription): Promise<() => void>;
}

export interface ListenerOptions {
  readonly connection: ClientConfig;
  readonly logger: Logger;
  /** @default 10_000 */
  readonly heartbeatMs?: number;
  /** First delay; it doubles up to 30 times as long. @default 200 */
  readonly reconnectDelayMs?: number;
}

const queryTimeoutMs = 5000;
const channelPattern = /^[a-z_][a-z0-9_]*$/i;

export function createListener(options: ListenerOptions): Listener {
  return new ListeningConnection(options);
}

class ListeningConnection implements Listener {
  readonly #options: ListenerOptions;
  readonly #channels = new Map<string, Set<Subscription>>();
  #client: Client | undefined;
  #connected = false;
  #stopped = true;
  #failures = 0;
  #reconnectTimer: NodeJS.Timeout | undefined;
  #heartbeatTimer: NodeJS.Timeout | undefined;
  #connecting: Promise<void> = Promise.resolve();

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#connecting = this.#connect();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#reconnectTimer);
    await this.#drop();
    await this.#connecting;
  }

  async listen(channel: string, subscription: Subscription): Promise<() => void> {
    if (!channelPattern.test(channel)) throw new TypeError(`Cannot listen: "${channel}" is no channel name`);
    const subscriptions = this.#channels.getOrInsertComputed(channel, () => new Set());
    const isNew = subscriptions.size === 0;
    subscriptions.add(subscription);
    const client = this.#client;
    if (client === undefined || !this.#connected) {
      await this.#connecting;
    } else {
      await this.#listenNow(client, channel, { isNew, subscription });
    }
    return () => {
      subscriptions.delete(subscription);
    };
  }

  async #listenNow(
    client: Client,
    channel: string,
    { isNew, subscription }: { readonly isNew: boolean; readonly subscription: Subscription },
  ): Promise<void> {
    try {
      if (isNew) await client.query(`listen "${channel}"`);
      if (this.#client === client) subscription.onReconnect();
    } catch (error) {
      this.#lose(client, error);
    }
  }

  async #connect(): Promise<void> {
    if (this.#stopped) return;
    const client = new Client({ ...this.#options.connection, keepAlive: true, query_timeout: queryTimeoutMs });
    this.#client = client;
    client.on('error', (error) => this.#lose(client, error));
    client.on('end', () => this.#lose(client, new Error('connection ended')));
    client.on('notification', ({ channel, payload }) => {
      for (const subscription of this.#channels.get(channel) ?? []) subscription.onNotification(payload ?? '');
    });
    try {
      await client.connect();
      for (const channel of this.#channels.keys()) await client.query(`listen "${channel}"`);
    } catch (error) {
      this.#lose(client, error);
      return;
    }
    if (this.#client !== client) return;
    this.#connected = true;
    this.#failures = 0;
    this.#heartbeatTimer = setInterval(() => void this.#beat(client), this.#options.heartbeatMs ?? 10_000);
    for (const subscriptions of this.#channels.values()) {
      for (const subscription of subscriptions) subscription.onReconnect();
    }
  }

  /** A connection that died without a word shows only when it is asked. */
  async #beat(client: Client): Promise<void> {
    try {
      await client.query('select 1');
    } catch (error) {
      this.#lose(client, error);
    }
  }

  #lose(client: Client, error: unknown): void {
    if (this.#client !== client) return;
    void this.#drop();
    for (const subscriptions of this.#channels.values()) {
      for (const subscription of subscriptions) subscription.onLost?.();
    }
    if (this.#stopped) return;
    const firstMs = this.#options.reconnectDelayMs ?? 200;
    const delayMs = Math.min(firstMs * 2 ** this.#failures, firstMs * 30);
    this.#failures += 1;
    this.#options.logger.warn({ err: error, delayMs }, 'Lost the connection that listens for notifications');
    this.#reconnectTimer = setTimeout(() => {
      this.#connecting = this.#connect();
    }, delayMs);
  }

  async #drop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#connected = false;
    clearInterval(this.#heartbeatTimer);
    if (client === undefined) return;
    client.removeAllListeners();
    // A socket that dies while it is being closed has nothing left to tell.
    client.on('error', () => undefined);
    await client.end().catch(() => undefined);
  }
}
