/**
 * One session-pinned connection for every LISTEN of this process. A notification is a hint that saves waiting for the
 * next poll, so whatever is lost while the connection is down is recovered by `onReconnect` and by polling.
 */
import pg from 'pg';
import type { Logger } from '#core/telemetry/logger.ts';

export interface Subscription {
  onNotification(payload: string): void;
  /** After each (re)connection: what was notified meanwhile is lost. */
  onReconnect(): void;
}

export interface Listener {
  start(): void;
  stop(): Promise<void>;
  /** Resolves once the channel is listened to; rejects never, since a lost connection comes back. */
  listen(channel: string, subscription: Subscription): Promise<() => void>;
}

export interface ListenerOptions {
  readonly connection: pg.ClientConfig;
  readonly logger: Logger;
  /** @default 10_000 */
  readonly heartbeatMs?: number;
  /** First delay; it doubles up to 30 times as long. @default 200 */
  readonly reconnectDelayMs?: number;
}

const channelPattern = /^[a-z_][a-z0-9_]*$/i;

export function createListener(options: ListenerOptions): Listener {
  const { logger, heartbeatMs = 10_000, reconnectDelayMs = 200 } = options;
  const channels = new Map<string, Set<Subscription>>();
  let client: pg.Client | undefined;
  let connected = false;
  let stopped = true;
  let failures = 0;
  let reconnectTimer: NodeJS.Timeout | undefined;
  let heartbeatTimer: NodeJS.Timeout | undefined;
  let connecting: Promise<void> = Promise.resolve();

  const lose = (lost: pg.Client, error: Error): void => {
    if (client !== lost) return;
    client = undefined;
    connected = false;
    clearInterval(heartbeatTimer);
    lost.removeAllListeners();
    // A socket that dies while it is being closed has nothing left to tell.
    lost.on('error', () => undefined);
    void lost.end().catch(() => undefined);
    if (stopped) return;
    const delayMs = Math.min(reconnectDelayMs * 2 ** failures, reconnectDelayMs * 30);
    failures += 1;
    logger.warn({ err: error, delayMs }, 'Lost the connection that listens for notifications');
    reconnectTimer = setTimeout(() => (connecting = connect()), delayMs);
  };

  const connect = async (): Promise<void> => {
    if (stopped) return;
    const next = new pg.Client({ ...options.connection, keepAlive: true, query_timeout: 5000 });
    client = next;
    next.on('error', (error) => lose(next, error));
    next.on('end', () => lose(next, new Error('connection ended')));
    next.on('notification', ({ channel, payload }) => {
      for (const subscription of channels.get(channel) ?? []) subscription.onNotification(payload ?? '');
    });
    try {
      await next.connect();
      for (const channel of channels.keys()) await next.query(`listen "${channel}"`);
    } catch (error) {
      lose(next, error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (client !== next) return;
    connected = true;
    failures = 0;
    heartbeatTimer = setInterval(() => {
      next.query('select 1').catch((error: unknown) => lose(next, error as Error));
    }, heartbeatMs);
    for (const subscriptions of channels.values()) {
      for (const subscription of subscriptions) subscription.onReconnect();
    }
  };

  return {
    start() {
      if (!stopped) return;
      stopped = false;
      connecting = connect();
    },
    async stop() {
      stopped = true;
      clearTimeout(reconnectTimer);
      clearInterval(heartbeatTimer);
      const last = client;
      client = undefined;
      connected = false;
      last?.removeAllListeners();
      last?.on('error', () => undefined);
      await last?.end().catch(() => undefined);
      await connecting;
    },
    async listen(channel, subscription) {
      if (!channelPattern.test(channel)) throw new TypeError(`Cannot listen: "${channel}" is no channel name`);
      const known = channels.get(channel);
      if (known === undefined) channels.set(channel, new Set([subscription]));
      else known.add(subscription);
      const current = client;
      if (known === undefined && current !== undefined && connected) {
        await current.query(`listen "${channel}"`).catch((error: unknown) => lose(current, error as Error));
      } else {
        await connecting;
      }
      return () => {
        channels.get(channel)?.delete(subscription);
      };
    },
  };
}
