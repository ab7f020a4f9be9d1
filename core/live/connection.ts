import {
  createWatcher,
  liveEndReasons,
  type LiveEnd,
  type LiveTransport,
  type Refusal,
  type Watcher,
} from './watcher.ts';
import type { WatcherCounts } from './watcher.ts';
import { callAt } from './call-at.ts';
import type { ChannelTable, Viewer } from './channel-table.ts';

export interface LiveConnection {
  /** Starts to watch; a refusal is told to the client, answered with false, and ends nothing else. */
  watch(channel: string, options?: { readonly since?: number }): Promise<boolean>;
  unwatch(channel: string): void;
  /** The client can take more. */
  flush(): void;
  /** Tells the client why and when to come back, and forgets it. */
  close(end: LiveEnd): void;
  /** The client is gone, by itself unless another reason is given. */
  end(reason?: string): void;
}

export interface ConnectionOptions {
  readonly viewer: Viewer;
  readonly transport: LiveTransport;
  readonly channels: ChannelTable;
  readonly bufferMaxBytes: number;
  readonly channelsMax: number;
  /** A connection that watches nothing is ended after this. */
  readonly idleMs: number;
  /** Milliseconds since the epoch: the token's end. */
  readonly endsAtMs: number;
  /** When a client shall come back: spread, so that not all come at once. */
  readonly reconnectAfterMs: (end: LiveEnd) => number;
  readonly count: WatcherCounts;
  readonly onEnd: (reason: string) => void;
}

/** One client and the channels it watches. */
export function createConnection(options: ConnectionOptions): LiveConnection {
  return new Connection(options);
}

class Connection implements LiveConnection {
  readonly #options: ConnectionOptions;
  readonly #watched = new Map<string, Watcher>();
  readonly #cancelExpiry: () => void;
  /** Questions to the channels' owners: who watches and unwatches in turns must not ask without end. */
  #deciding = 0;
  #ended = false;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#cancelExpiry = callAt(options.endsAtMs, () => this.close('expired'));
    this.#armIdle();
  }

  async watch(channel: string, { since }: { readonly since?: number } = {}): Promise<boolean> {
    const { channels, viewer } = this.#options;
    if (this.#ended) return false;
    if (this.#watched.has(channel)) return true;
    const refusal = this.#findLimit();
    if (refusal !== undefined) return this.#refuse(channel, refusal);
    const watcher: Watcher = createWatcher({
      ...this.#options,
      channel,
      ...(since === undefined ? {} : { since }),
      authorize: () => channels.authorize(channel, viewer),
      onClosed: () => this.#drop(watcher),
    });
    clearTimeout(this.#idle);
    // Watching begins before the question whether it may: a change between the snapshot and the answer is not missed.
    this.#watched.set(channel, watcher);
    channels.add(watcher);
    this.#deciding += 1;
    const decision = await channels.authorize(channel, viewer);
    this.#deciding -= 1;
    if (this.#watched.get(channel) !== watcher) return false;
    if (decision.allowed) {
      watcher.begin(decision);
      return true;
    }
    this.#drop(watcher);
    return this.#refuse(channel, decision);
  }

  unwatch(channel: string): void {
    const watcher = this.#watched.get(channel);
    if (watcher !== undefined) this.#drop(watcher);
  }

  flush(): void {
    for (const watcher of this.#watched.values()) watcher.flush();
  }

  close(why: LiveEnd): void {
    if (this.#ended) return;
    const { transport, reconnectAfterMs } = this.#options;
    transport.close(why, { afterMs: reconnectAfterMs(why), reason: liveEndReasons[why] });
    // A client that does not take its leave gets nothing more.
    this.end(why);
  }

  end(reason = 'client'): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelExpiry();
    clearTimeout(this.#idle);
    for (const watcher of this.#watched.values()) this.#drop(watcher);
    this.#options.onEnd(reason);
  }

  #findLimit(): Refusal | undefined {
    const { channels, channelsMax } = this.#options;
    if (this.#watched.size >= channelsMax || this.#deciding >= channelsMax) {
      return { code: 'OVERLOADED', reason: `at most ${channelsMax} channels a connection` };
    }
    return channels.hasRoom() ? undefined : { code: 'OVERLOADED', reason: 'too much is watched already' };
  }

  #refuse(channel: string, refusal: Refusal): false {
    if (!this.#ended) this.#options.transport.refuse(channel, refusal);
    return false;
  }

  #drop(watcher: Watcher): void {
    watcher.stop();
    this.#options.channels.remove(watcher);
    this.#watched.delete(watcher.channel);
    if (this.#watched.size === 0 && !this.#ended) this.#armIdle();
  }

  #armIdle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.close('idle'), this.#options.idleMs);
    this.#idle.unref();
  }
}
