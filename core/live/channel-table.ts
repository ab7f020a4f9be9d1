import type { Principal, WatchDecision } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import type { Counter, Gauge } from '#core/telemetry/metrics.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { isChannel, parseChannelPattern, type ChannelPattern } from './channel-pattern.ts';
import type { Admission, Refusal, Watcher } from './watcher.ts';

/** Who owns a channel pattern and decides who may watch. */
export interface ChannelOwner {
  readonly plugin: string;
  authorize(viewer: Viewer, params: Readonly<Record<string, string>>): Promise<WatchDecision>;
}

/** Who wants to watch. */
export interface Viewer {
  readonly principal: Principal;
  /** The id of the share link that was shown instead of a principal's token; it opens no other channel than `channel`. */
  readonly link?: { readonly id: string; readonly channel: string };
}

export type ChannelDecision = (Admission & { readonly allowed: true }) | (Refusal & { readonly allowed: false });

/** Which channels exist, whose they are, and who watches them now. */
export interface ChannelTable {
  declare(pattern: string, owner: ChannelOwner): void;
  authorize(channel: string, viewer: Viewer): Promise<ChannelDecision>;
  /** False when as much is watched as may be, by all together. */
  hasRoom(): boolean;
  add(watcher: Watcher): void;
  remove(watcher: Watcher): void;
  watchersOf(channel: string): ReadonlySet<Watcher>;
  removeAll(channel: string): void;
  /** Every watcher of now. */
  all(): readonly Watcher[];
}

export interface ChannelTableOptions {
  readonly telemetry: Telemetry;
  /** Channels that clients watch, all of them together. */
  readonly watchesMax: number;
}

const nobody: ReadonlySet<Watcher> = new Set();

export function createChannelTable(options: ChannelTableOptions): ChannelTable {
  return new Table(options);
}

class Table implements ChannelTable {
  readonly #options: ChannelTableOptions;
  readonly #declarations = new Map<string, { readonly pattern: ChannelPattern; readonly owner: ChannelOwner }>();
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #requests: Counter;
  readonly #channelsWatched: Gauge;
  readonly #watches: Gauge;
  #open = 0;

  constructor(options: ChannelTableOptions) {
    const { metrics } = options.telemetry;
    this.#options = options;
    this.#requests = metrics.counter('returnit_live_watch_requests_total');
    this.#channelsWatched = metrics.gauge('returnit_live_channels_watched');
    this.#watches = metrics.gauge('returnit_live_watches');
  }

  declare(text: string, owner: ChannelOwner): void {
    const pattern = toPattern(text);
    const known = this.#declarations.get(pattern.shape);
    if (known !== undefined && known.owner.plugin !== owner.plugin) {
      throw new AppError(
        'INVALID_CALL',
        `Cannot declare channel "${text}": ${known.owner.plugin} has declared "${known.pattern.pattern}"`,
      );
    }
    this.#declarations.set(pattern.shape, { pattern, owner });
  }

  async authorize(channel: string, viewer: Viewer): Promise<ChannelDecision> {
    const found = this.#find(channel);
    if (found === undefined) {
      this.#requests.inc({ plugin: 'none', outcome: 'unknown' });
      return { allowed: false, code: 'NOT_FOUND', reason: 'no such channel' };
    }
    const { plugin } = found.owner;
    if (viewer.link !== undefined && viewer.link.channel !== channel) {
      this.#requests.inc({ plugin, outcome: 'denied' });
      return { allowed: false, code: 'FORBIDDEN', reason: 'the link is for another channel' };
    }
    try {
      const decision = await found.owner.authorize(viewer, found.params);
      this.#requests.inc({ plugin, outcome: decision.allowed ? 'allowed' : 'denied' });
      if (!decision.allowed) return { allowed: false, code: 'FORBIDDEN', reason: decision.reason };
      const { snapshot, version } = decision;
      return { allowed: true, json: snapshot === undefined ? undefined : JSON.stringify(snapshot), version };
    } catch (error) {
      this.#requests.inc({ plugin, outcome: 'error' });
      // Nobody watches what its owner cannot decide on; the client may try again.
      this.#options.telemetry.logger.warn({ err: error, plugin }, 'Cannot decide who may watch a channel');
      return { allowed: false, code: 'PLUGIN_UNAVAILABLE', reason: 'not available now, try again later' };
    }
  }

  hasRoom(): boolean {
    return this.#open < this.#options.watchesMax;
  }

  add(watcher: Watcher): void {
    this.#watchers.getOrInsertComputed(watcher.channel, () => new Set()).add(watcher);
    this.#count(1);
  }

  remove(watcher: Watcher): void {
    const others = this.#watchers.get(watcher.channel);
    // It has gone with its channel.
    if (others?.delete(watcher) !== true) return;
    if (others.size === 0) this.#watchers.delete(watcher.channel);
    this.#count(-1);
  }

  watchersOf(channel: string): ReadonlySet<Watcher> {
    return this.#watchers.get(channel) ?? nobody;
  }

  removeAll(channel: string): void {
    const gone = this.#watchers.get(channel)?.size ?? 0;
    this.#watchers.delete(channel);
    this.#count(-gone);
  }

  all(): readonly Watcher[] {
    return [...this.#watchers.values()].flatMap((own) => [...own]);
  }

  #find(channel: string): { owner: ChannelOwner; params: Readonly<Record<string, string>> } | undefined {
    if (!isChannel(channel)) return undefined;
    for (const { pattern, owner } of this.#declarations.values()) {
      const params = pattern.match(channel);
      if (params !== null) return { owner, params };
    }
    return undefined;
  }

  #count(by: number): void {
    this.#open += by;
    this.#watches.set({}, this.#open);
    this.#channelsWatched.set({}, this.#watchers.size);
  }
}

function toPattern(pattern: string): ChannelPattern {
  try {
    return parseChannelPattern(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('INVALID_CALL', `Cannot declare channel: ${reason}`, { cause: error });
  }
}
