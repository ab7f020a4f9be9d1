import type { PluginContext } from '#plugin-api';
import { showPartitions } from './partition-keeping.ts';
import { showPresence } from './presence.ts';
import type { PresenceSettings } from './store/presence.ts';

/** How old the figures are at most. */
const everyMs = 15_000;

/**
 * Gauges of what is in the database. Every node reads the same figures from it, so each shows the whole, and nothing is
 * lost with a node. A figure that cannot be read stays as it is, and the others go on.
 */
export function registerFigures(
  ctx: Pick<PluginContext, 'db' | 'metrics' | 'repeat'>,
  settings: PresenceSettings,
  now: () => number,
): void {
  ctx.repeat('presence', { everyMs }, () => showPresence(ctx, settings, now()));
  ctx.repeat('partitions', { everyMs }, () => showPartitions(ctx));
}
