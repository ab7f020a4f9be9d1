/** One client's connection, whatever carries it (WebSocket, server-sent events). */
export interface LiveTransport {
  readonly name: 'ws' | 'sse';
  /** Bytes given to the transport and not yet sent. */
  readonly bufferedBytes: number;
  send(message: LiveMessage): void;
  /** The client may not watch this channel. */
  refuse(channel: string, refusal: Refusal): void;
  /** The transport tells its client why; what comes after is ignored. */
  close(end: LiveEnd): void;
}

/** Why the server ends a connection. */
export type LiveEnd = 'stopping' | 'expired';

/** In words for the client. */
export const liveEndReasons: Readonly<Record<LiveEnd, string>> = {
  stopping: 'the server is shutting down',
  expired: 'the token has expired: connect again with a new one',
};

export interface Refusal {
  readonly code: 'NOT_FOUND' | 'FORBIDDEN' | 'PLUGIN_UNAVAILABLE' | 'OVERLOADED';
  /** For the client. */
  readonly reason: string;
}

/** What a client receives. `snapshot` and `change` carry a value; `closed` ends one channel, `refused` never began it. */
export interface LiveMessage {
  readonly type: 'snapshot' | 'change' | 'closed' | 'refused';
  readonly channel: string;
  readonly data?: object;
  readonly reason?: string;
}

export interface Watcher {
  readonly channel: string;
  change(data: object, version: number | undefined): void;
  /** Ends the waiting after authorisation: the snapshot first, then what came meanwhile and is newer. */
  begin(snapshot: object | undefined, version: number | undefined): void;
  /** Sends what was held back, if the client has caught up. */
  flush(): void;
  closed(reason: string): void;
}

export interface WatcherOptions {
  readonly channel: string;
  readonly transport: LiveTransport;
  /** Unsent bytes above which only the newest value is kept. */
  readonly bufferMaxBytes: number;
  readonly onSent: () => void;
  /** A value was replaced by a newer one before the client could take it. */
  readonly onSuperseded: () => void;
  /** The channel has ended: the connection forgets this watcher. */
  readonly onClosed: () => void;
}

/**
 * What one client sees of one channel. Values only move forward: one that is not newer than the last is dropped.
 * A client that cannot keep up gets the newest value when it has room again, never a queue that grows.
 */
export function createWatcher(options: WatcherOptions): Watcher {
  const { channel, transport } = options;
  let begun = false;
  let newest = Number.NEGATIVE_INFINITY;
  let held: { readonly data: object; readonly version: number | undefined } | undefined;

  function isOld(version: number | undefined): boolean {
    return version !== undefined && version <= Math.max(newest, held?.version ?? Number.NEGATIVE_INFINITY);
  }

  function send(type: 'snapshot' | 'change', data: object, version: number | undefined): void {
    if (version !== undefined) newest = version;
    transport.send({ type, channel, data });
    options.onSent();
  }

  function sendHeld(): void {
    if (held === undefined) return;
    const { data, version } = held;
    held = undefined;
    // The snapshot may have been newer than what came while it was made.
    if (!isOld(version)) send('change', data, version);
  }

  function flush(): void {
    if (begun && transport.bufferedBytes <= options.bufferMaxBytes) sendHeld();
  }

  return {
    channel,
    change(data, version) {
      if (isOld(version)) return;
      if (held !== undefined) options.onSuperseded();
      held = { data, version };
      flush();
    },
    begin(snapshot, version) {
      begun = true;
      if (snapshot !== undefined) send('snapshot', snapshot, version);
      flush();
    },
    flush,
    closed(reason) {
      // One value more fits: the last one is what a client must have seen.
      if (begun) sendHeld();
      transport.send({ type: 'closed', channel, reason });
      options.onClosed();
    },
  };
}
