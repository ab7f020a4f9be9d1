import type { Principal } from '#plugin-api';
import type { LiveTransport, Watcher } from './watcher.ts';
import { createWatcher } from './watcher.ts';
import type { ChannelTable } from './channel-table.ts';

export interface LiveConnection {
  /** Starts to watch; a refusal is told to the client and ends nothing else. */
  watch(channel: string): Promise<void>;
  unwatch(channel: string): void;
  /** The client can take more. */
  flush(): void;
  /** The client is gone. */
  end(): void;
}

export interface ConnectionOptions {
  readonly principal: Principal;
  readonly transport: LiveTransport;
  readonly channels: ChannelTable;
  readonly bufferMaxBytes: number;
  readonly onSent: () => void;
  readonly onSuperseded: () => void;
  readonly onEnd: () => void;
}

const channelsMax = 50;

/** One client and the channels it watches. */
export function createConnection(options: ConnectionOptions): LiveConnection {
  const { principal, transport, channels } = options;
  const watched = new Map<string, Watcher>();
  let ended = false;

  function refuse(channel: string, reason: string): void {
    transport.send({ type: 'refused', channel, reason });
  }

  function drop(watcher: Watcher): void {
    watched.delete(watcher.channel);
    channels.remove(watcher);
  }

  async function watch(channel: string): Promise<void> {
    if (ended || watched.has(channel)) return;
    if (watched.size >= channelsMax) return refuse(channel, `at most ${channelsMax} channels a connection`);
    const watcher = createWatcher({
      channel,
      transport,
      bufferMaxBytes: options.bufferMaxBytes,
      onSent: options.onSent,
      onSuperseded: options.onSuperseded,
      onClosed: () => watched.delete(channel),
    });
    // Watching begins before the question whether it may: a change between the snapshot and the answer is not missed.
    watched.set(channel, watcher);
    channels.add(watcher);
    const decision = await channels.authorize(channel, principal);
    if (watched.get(channel) !== watcher) return;
    if (decision.allowed) return watcher.begin(decision.snapshot, decision.version);
    drop(watcher);
    refuse(channel, decision.reason);
  }

  return {
    watch,
    unwatch(channel) {
      const watcher = watched.get(channel);
      if (watcher !== undefined) drop(watcher);
    },
    flush: () => watched.forEach((watcher) => watcher.flush()),
    end() {
      if (ended) return;
      ended = true;
      for (const watcher of watched.values()) drop(watcher);
      options.onEnd();
    },
  };
}
