import type { Principal } from '#plugin-api';
import { createWatcher, type LiveTransport, type Refusal, type Watcher } from './watcher.ts';
import { callAt } from './call-at.ts';
import type { ChannelTable } from './channel-table.ts';

export interface LiveConnection {
  /** Starts to watch; a refusal is told to the client, answered with false, and ends nothing else. */
  watch(channel: string): Promise<boolean>;
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
  /** Milliseconds since the epoch: the token's end. */
  readonly endsAtMs: number;
  readonly onSent: () => void;
  readonly onSuperseded: () => void;
  readonly onEnd: () => void;
}

const channelsMax = 50;

/** One client and the channels it watches. */
export function createConnection(options: ConnectionOptions): LiveConnection {
  const { principal, transport, channels } = options;
  const watched = new Map<string, Watcher>();
  /** Questions to the channels' owners: who watches and unwatches in turns must not ask without end. */
  let deciding = 0;
  let ended = false;

  function refuse(channel: string, refusal: Refusal): false {
    if (!ended) transport.refuse(channel, refusal);
    return false;
  }

  function drop(watcher: Watcher): void {
    watched.delete(watcher.channel);
    channels.remove(watcher);
  }

  async function watch(channel: string): Promise<boolean> {
    if (ended) return false;
    if (watched.has(channel)) return true;
    if (watched.size >= channelsMax || deciding >= channelsMax) {
      return refuse(channel, { code: 'OVERLOADED', reason: `at most ${channelsMax} channels a connection` });
    }
    const watcher = createWatcher({ ...options, channel, onClosed: () => watched.delete(channel) });
    // Watching begins before the question whether it may: a change between the snapshot and the answer is not missed.
    watched.set(channel, watcher);
    channels.add(watcher);
    deciding += 1;
    const decision = await channels.authorize(channel, principal);
    deciding -= 1;
    if (watched.get(channel) !== watcher) return false;
    if (decision.allowed) {
      watcher.begin(decision.snapshot, decision.version);
      return true;
    }
    drop(watcher);
    return refuse(channel, decision);
  }

  function end(): void {
    if (ended) return;
    ended = true;
    cancelExpiry();
    for (const watcher of watched.values()) drop(watcher);
    options.onEnd();
  }

  const cancelExpiry = callAt(options.endsAtMs, () => {
    transport.close('expired');
    // A client that does not take its leave gets nothing more.
    end();
  });

  return {
    watch,
    unwatch(channel) {
      const watcher = watched.get(channel);
      if (watcher !== undefined) drop(watcher);
    },
    flush: () => watched.forEach((watcher) => watcher.flush()),
    end,
  };
}
