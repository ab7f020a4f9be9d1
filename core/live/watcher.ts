import type { LiveMessage, ReconnectNotice } from './live-message.ts';

/** One client's connection, whatever carries it (WebSocket, server-sent events). */
export interface LiveTransport {
  readonly name: 'ws' | 'sse';
  /** Bytes given to the transport and not yet sent. */
  readonly bufferedBytes: number;
  send(message: LiveMessage): void;
  /** The client may not watch this channel. */
  refuse(channel: string, refusal: Refusal): void;
  /** The transport tells its client why and when to come back; what comes after is ignored. */
  close(end: LiveEnd, notice: ReconnectNotice): void;
}

/** Why the server ends a connection. */
export type LiveEnd = 'stopping' | 'expired' | 'idle';

/** In words for the client. */
export const liveEndReasons: Readonly<Record<LiveEnd, string>> = {
  stopping: 'the server is shutting down',
  expired: 'the token has expired: connect again with a new one',
  idle: 'nothing was watched',
};

export interface Refusal {
  readonly code: 'NOT_FOUND' | 'FORBIDDEN' | 'PLUGIN_UNAVAILABLE' | 'OVERLOADED';
  /** For the client. */
  readonly reason: string;
}

/** A decision that somebody may watch: the newest value as JSON, if there is one. */
export interface Admission {
  readonly json: string | undefined;
  readonly version: number | undefined;
}

export interface Watcher {
  readonly channel: string;
  /** Nothing more is sent. */
  readonly isOver: boolean;
  change(json: string, version: number | undefined): void;
  /** Ends the waiting after authorisation: the snapshot first unless the client has it, then what came meanwhile and is newer. */
  begin(admission: Admission): void;
  /** Asks again whether the client may watch: if not, its channel ends; if so, what it has missed is sent. */
  recheck(): Promise<'allowed' | 'denied' | 'error'>;
  /** Sends what was held back, if the client has caught up. */
  flush(): void;
  closed(reason: string): void;
  /** The client has gone or has lost interest: nothing more is sent. */
  stop(): void;
}

export interface WatcherOptions {
  readonly channel: string;
  readonly transport: LiveTransport;
  /** The version that the client has from an earlier connection. */
  readonly since?: number;
  /** Unsent bytes above which only the newest value is kept. */
  readonly bufferMaxBytes: number;
  /** Whether the client may still watch. */
  readonly authorize: () => Promise<({ readonly allowed: true } & Admission) | ({ readonly allowed: false } & Refusal)>;
  readonly count: WatcherCounts;
  /** The channel has ended: the connection forgets this watcher. */
  readonly onClosed: () => void;
}

/** What became of values. */
export interface WatcherCounts {
  sent(): void;
  /** A value was replaced by a newer one before the client could take it. */
  conflated(): void;
  /** A value was not newer than what the client has. */
  stale(): void;
  /** A client came back: it had the newest value, or had missed some. */
  resumed(outcome: 'current' | 'behind'): void;
}

/**
 * What one client sees of one channel. Values only move forward, also over its connections: one that is not newer than
 * the last is dropped. A client that cannot keep up gets the newest value when it has room again, never a queue that grows.
 */
export function createWatcher(options: WatcherOptions): Watcher {
  return new ChannelWatcher(options);
}

class ChannelWatcher implements Watcher {
  readonly channel: string;
  readonly #options: WatcherOptions;
  #begun = false;
  #over = false;
  #newest: number;
  #held: { readonly json: string; readonly version: number | undefined } | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.channel = options.channel;
    this.#newest = options.since ?? Number.NEGATIVE_INFINITY;
  }

  get isOver(): boolean {
    return this.#over;
  }

  change(json: string, version: number | undefined): void {
    const { count } = this.#options;
    if (this.#isOld(version)) return count.stale();
    if (this.#held !== undefined) count.conflated();
    this.#held = { json, version };
    this.flush();
  }

  begin({ json, version }: Admission): void {
    const { since, count, transport } = this.#options;
    this.#begun = true;
    const isKnown = since !== undefined && version !== undefined && version <= since;
    if (json !== undefined && !isKnown) {
      if (since !== undefined) count.resumed('behind');
      this.#send('snapshot', json, version);
    } else if (since !== undefined) {
      count.resumed('current');
      transport.send({ type: 'resumed', channel: this.channel, version: since });
    }
    this.flush();
  }

  async recheck(): Promise<'allowed' | 'denied' | 'error'> {
    const decision = await this.#options.authorize();
    if (decision.allowed) {
      const { json, version } = decision;
      const isLive = this.#begun && !this.#over;
      // Without a version nobody can say whether it is news.
      if (isLive && json !== undefined && version !== undefined && !this.#isOld(version)) this.change(json, version);
      return 'allowed';
    }
    // Who cannot be asked is asked again later; until then its owner publishes nothing either.
    if (decision.code === 'PLUGIN_UNAVAILABLE') return 'error';
    this.closed(decision.reason);
    return 'denied';
  }

  flush(): void {
    const { transport, bufferMaxBytes } = this.#options;
    if (this.#begun && transport.bufferedBytes <= bufferMaxBytes) this.#sendHeld();
  }

  closed(reason: string): void {
    if (this.#over) return;
    // One value more fits: the last one is what a client must have seen.
    if (this.#begun) this.#sendHeld();
    this.#over = true;
    this.#options.transport.send({ type: 'closed', channel: this.channel, reason });
    this.#options.onClosed();
  }

  stop(): void {
    this.#over = true;
  }

  #isOld(version: number | undefined): boolean {
    return version !== undefined && version <= Math.max(this.#newest, this.#held?.version ?? Number.NEGATIVE_INFINITY);
  }

  #send(type: 'snapshot' | 'change', json: string, version: number | undefined): void {
    if (version !== undefined) this.#newest = version;
    const message: LiveMessage = { type, channel: this.channel, json };
    this.#options.transport.send(version === undefined ? message : { ...message, version });
    this.#options.count.sent();
  }

  #sendHeld(): void {
    if (this.#held === undefined) return;
    const { json, version } = this.#held;
    this.#held = undefined;
    // The snapshot may have been newer than what came while it was made.
    if (this.#isOld(version)) this.#options.count.stale();
    else this.#send('change', json, version);
  }
}
