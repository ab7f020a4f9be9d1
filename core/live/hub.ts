import type { IncomingMessage } from 'node:http';
import type { Principal } from '#plugin-api';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { createChannelTable, type ChannelOwner, type ChannelTable, type Viewer } from './channel-table.ts';
import { createConnection, type LiveConnection } from './connection.ts';
import { createConnectionCount, type ConnectionCount } from './connection-count.ts';
import { createLiveMetrics, type LiveMetrics } from './live-metrics.ts';
import { tokenOf } from './live-request.ts';
import { recheckWatchers } from './recheck.ts';
import type { LiveRelay, RelayMessage } from './relay.ts';
import type { LiveTransport } from './watcher.ts';

export interface LiveHubOptions {
  readonly config: Config;
  readonly telemetry: Telemetry;
  /** Rejects with UNAUTHENTICATED when the token is wrong. */
  readonly verify: (token: string) => Promise<LiveSession>;
  /** To the other nodes. @default there are none */
  readonly relay?: LiveRelay;
  /** From 0 to 1. @default Math.random */
  readonly random?: () => number;
}

/** Who watches, and until when the token allows it. */
export interface LiveSession extends Viewer {
  readonly principal: Principal;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

export interface LiveHub {
  /** A plugin's later declaration of the same pattern replaces its earlier one. @throws {AppError} INVALID_CALL */
  declare(pattern: string, owner: ChannelOwner): void;
  publish(channel: string, data: object, version?: number): void;
  close(channel: string, reason: string): void;
  /** Who watches the channel is asked for again: who may no longer is told so and gets nothing more. */
  recheck(channel: string): void;
  /** @throws {AppError} UNAUTHENTICATED */
  authenticate(request: IncomingMessage): Promise<LiveSession>;
  /**
   * The connection ends with the session.
   *
   * @throws {AppError} OVERLOADED when there are too many connections, SHUTTING_DOWN
   */
  connect(session: LiveSession, transport: LiveTransport): LiveConnection;
  /** Ends every connection, telling the clients to come back, not all at once. */
  stop(): void;
}

/** Brings live values to the clients that may see them. It keeps no values: the snapshot comes from the channel's owner. */
export function createLiveHub(options: LiveHubOptions): LiveHub {
  return new Hub(options);
}

class Hub implements LiveHub {
  readonly #options: LiveHubOptions;
  readonly #channels: ChannelTable;
  readonly #metrics: LiveMetrics;
  readonly #connections = new Set<LiveConnection>();
  readonly #places: ConnectionCount;
  readonly #timer: NodeJS.Timeout;
  #passing = false;
  #missedSome = false;
  #stopping = false;

  constructor(options: LiveHubOptions) {
    const { config, telemetry, relay } = options;
    this.#options = options;
    this.#channels = createChannelTable({ telemetry, watchesMax: config.liveWatchesMax });
    this.#metrics = createLiveMetrics(telemetry.metrics, config);
    this.#places = createConnectionCount(config);
    this.#timer = setInterval(() => void this.#recheckAll('time'), config.liveRecheckMs);
    this.#timer.unref();
    relay?.listen({
      receive: (channel, message) => this.#apply(channel, message),
      isWatched: (channel) => this.#channels.watchersOf(channel).size > 0,
      onGap: () => void this.#recheckAll('gap'),
    });
  }

  declare(pattern: string, owner: ChannelOwner): void {
    this.#channels.declare(pattern, owner);
  }

  publish(channel: string, data: object, version?: number): void {
    this.#metrics.published.inc();
    const { relay } = this.#options;
    if (relay === undefined && this.#channels.watchersOf(channel).size === 0) return;
    this.#tellAll(channel, { kind: 'value', json: JSON.stringify(data), version });
  }

  close(channel: string, reason: string): void {
    this.#tellAll(channel, { kind: 'close', reason });
  }

  recheck(channel: string): void {
    this.#tellAll(channel, { kind: 'recheck' });
  }

  async authenticate(request: IncomingMessage): Promise<LiveSession> {
    const { verify, telemetry } = this.#options;
    try {
      return await verify(tokenOf(request));
    } catch (error) {
      this.#metrics.refused(error);
      if (!(error instanceof AppError))
        telemetry.logger.error({ err: error }, 'Cannot check the token of a live client');
      throw error;
    }
  }

  connect(session: LiveSession, transport: LiveTransport): LiveConnection {
    const { config } = this.#options;
    const release = this.#takePlace(session);
    const { name } = transport;
    const metrics = this.#metrics;
    metrics.open.add({ transport: name }, 1);
    const connection = createConnection({
      viewer: session,
      transport,
      channels: this.#channels,
      endsAtMs: session.expiresAtMs + config.liveTokenGraceMs,
      bufferMaxBytes: config.liveBufferMaxBytes,
      channelsMax: config.liveChannelsPerConnectionMax,
      idleMs: config.liveIdleTimeoutMs,
      reconnectAfterMs: (end) => (end === 'stopping' ? this.#spreadDelay() : 0),
      count: metrics.countsOf(name),
      onEnd: (reason) => {
        this.#connections.delete(connection);
        release();
        metrics.open.add({ transport: name }, -1);
        metrics.ended.inc({ transport: name, reason });
      },
    });
    this.#connections.add(connection);
    return connection;
  }

  stop(): void {
    this.#stopping = true;
    clearInterval(this.#timer);
    for (const connection of this.#connections) connection.close('stopping');
  }

  /** Here first: no client of this node waits for the broker. */
  #tellAll(channel: string, message: RelayMessage): void {
    this.#apply(channel, message);
    this.#options.relay?.send(channel, message);
  }

  #apply(channel: string, message: RelayMessage): void {
    const watchers = this.#channels.watchersOf(channel);
    if (message.kind === 'value') {
      for (const watcher of watchers) watcher.change(message.json, message.version);
    } else if (message.kind === 'close') {
      this.#channels.removeAll(channel);
      for (const watcher of watchers) watcher.closed(message.reason);
    } else {
      void recheckWatchers(watchers, { rechecks: this.#metrics.rechecks });
    }
  }

  /** One pass at a time: a slow owner is not asked twice. After a gap in the middle of one, another has to follow. */
  async #recheckAll(why: 'time' | 'gap'): Promise<void> {
    if (why === 'gap') this.#missedSome = true;
    if (this.#passing) return;
    this.#passing = true;
    const { rechecks } = this.#metrics;
    const overMs = this.#options.config.liveRecheckMs / 2;
    let isUrgent = why === 'gap';
    do {
      this.#missedSome = false;
      const isNow = isUrgent;
      await recheckWatchers(this.#channels.all(), { rechecks, overMs, isUrgent: () => isNow || this.#missedSome });
      isUrgent = this.#missedSome;
    } while (this.#missedSome);
    this.#passing = false;
  }

  #takePlace(session: LiveSession): () => void {
    try {
      if (!this.#stopping) return this.#places.take(session);
      throw new AppError('SHUTTING_DOWN', 'Cannot open a live connection: the server is shutting down');
    } catch (error) {
      this.#metrics.refused(error);
      throw error;
    }
  }

  #spreadDelay(): number {
    const { config, random = Math.random } = this.#options;
    return Math.round(random() * config.liveReconnectSpreadMs);
  }
}
