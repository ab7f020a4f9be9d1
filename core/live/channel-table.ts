import type { Principal, WatchDecision } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { isChannel, parseChannelPattern, type ChannelPattern } from './channel-pattern.ts';
import type { Watcher } from './watcher.ts';

/** Who owns a channel pattern and decides who may watch. */
export interface ChannelOwner {
  readonly plugin: string;
  authorize(principal: Principal, params: Readonly<Record<string, string>>): Promise<WatchDecision>;
}

/** Which channels exist, whose they are, and who watches them now. */
export interface ChannelTable {
  declare(pattern: string, owner: ChannelOwner): void;
  has(channel: string): boolean;
  authorize(channel: string, principal: Principal): Promise<WatchDecision>;
  add(watcher: Watcher): void;
  remove(watcher: Watcher): void;
  watchersOf(channel: string): ReadonlySet<Watcher>;
  removeAll(channel: string): void;
}

const nobody: ReadonlySet<Watcher> = new Set();

export function createChannelTable(telemetry: Telemetry): ChannelTable {
  const declarations = new Map<string, { readonly pattern: ChannelPattern; readonly owner: ChannelOwner }>();
  const watchers = new Map<string, Set<Watcher>>();

  function find(channel: string): { owner: ChannelOwner; params: Readonly<Record<string, string>> } | undefined {
    if (!isChannel(channel)) return undefined;
    for (const { pattern, owner } of declarations.values()) {
      const params = pattern.match(channel);
      if (params !== null) return { owner, params };
    }
    return undefined;
  }

  return {
    declare(pattern, owner) {
      const known = declarations.get(pattern);
      if (known !== undefined && known.owner.plugin !== owner.plugin) {
        throw new AppError(
          'INVALID_CALL',
          `Cannot declare channel "${pattern}": ${known.owner.plugin} has declared it`,
        );
      }
      declarations.set(pattern, { pattern: toPattern(pattern), owner });
    },
    has: (channel) => find(channel) !== undefined,
    async authorize(channel, principal) {
      const found = find(channel);
      if (found === undefined) return { allowed: false, reason: 'no such channel' };
      try {
        return await found.owner.authorize(principal, found.params);
      } catch (error) {
        // Nobody watches what its owner cannot decide on; the client may try again.
        telemetry.logger.warn({ err: error, plugin: found.owner.plugin }, 'Cannot decide who may watch a channel');
        return { allowed: false, reason: 'not available now, try again later' };
      }
    },
    add(watcher) {
      watchers.getOrInsertComputed(watcher.channel, () => new Set()).add(watcher);
    },
    remove(watcher) {
      const others = watchers.get(watcher.channel);
      others?.delete(watcher);
      if (others?.size === 0) watchers.delete(watcher.channel);
    },
    watchersOf: (channel) => watchers.get(channel) ?? nobody,
    removeAll: (channel) => void watchers.delete(channel),
  };
}

function toPattern(pattern: string): ChannelPattern {
  try {
    return parseChannelPattern(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('INVALID_CALL', `Cannot declare channel: ${reason}`, { cause: error });
  }
}
