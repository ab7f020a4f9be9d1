import type { Principal, WatchDecision } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { isChannel, parseChannelPattern, type ChannelPattern } from './channel-pattern.ts';
import type { Refusal, Watcher } from './watcher.ts';

/** Who owns a channel pattern and decides who may watch. */
export interface ChannelOwner {
  readonly plugin: string;
  authorize(principal: Principal, params: Readonly<Record<string, string>>): Promise<WatchDecision>;
}

export type ChannelDecision =
  | Extract<WatchDecision, { readonly allowed: true }>
  | (Refusal & { readonly allowed: false });

/** Which channels exist, whose they are, and who watches them now. */
export interface ChannelTable {
  declare(pattern: string, owner: ChannelOwner): void;
  authorize(channel: string, principal: Principal): Promise<ChannelDecision>;
  add(watcher: Watcher): void;
  remove(watcher: Watcher): void;
  watchersOf(channel: string): ReadonlySet<Watcher>;
  removeAll(channel: string): void;
}

const nobody: ReadonlySet<Watcher> = new Set();

export function createChannelTable(telemetry: Telemetry): ChannelTable {
  const declarations = new Map<string, { readonly pattern: ChannelPattern; readonly owner: ChannelOwner }>();
  const watchers = new Map<string, Set<Watcher>>();
  const requests = telemetry.metrics.counter('returnit_live_watch_requests_total');

  function find(channel: string): { owner: ChannelOwner; params: Readonly<Record<string, string>> } | undefined {
    if (!isChannel(channel)) return undefined;
    for (const { pattern, owner } of declarations.values()) {
      const params = pattern.match(channel);
      if (params !== null) return { owner, params };
    }
    return undefined;
  }

  return {
    declare(text, owner) {
      const pattern = toPattern(text);
      const known = declarations.get(pattern.shape);
      if (known !== undefined && known.owner.plugin !== owner.plugin) {
        throw new AppError(
          'INVALID_CALL',
          `Cannot declare channel "${text}": ${known.owner.plugin} has declared "${known.pattern.pattern}"`,
        );
      }
      declarations.set(pattern.shape, { pattern, owner });
    },
    async authorize(channel, principal) {
      const found = find(channel);
      if (found === undefined) {
        requests.inc({ plugin: 'none', outcome: 'unknown' });
        return { allowed: false, code: 'NOT_FOUND', reason: 'no such channel' };
      }
      const { plugin } = found.owner;
      try {
        const decision = await found.owner.authorize(principal, found.params);
        requests.inc({ plugin, outcome: decision.allowed ? 'allowed' : 'denied' });
        return decision.allowed ? decision : { allowed: false, code: 'FORBIDDEN', reason: decision.reason };
      } catch (error) {
        requests.inc({ plugin, outcome: 'error' });
        // Nobody watches what its owner cannot decide on; the client may try again.
        telemetry.logger.warn({ err: error, plugin }, 'Cannot decide who may watch a channel');
        return { allowed: false, code: 'PLUGIN_UNAVAILABLE', reason: 'not available now, try again later' };
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
