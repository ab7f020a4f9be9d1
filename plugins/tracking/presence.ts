import type { PluginContext } from '#plugin-api';
import { countPresence, type PresenceSettings } from './store/presence.ts';

/** Shows how many drivers are present. Presence itself is computed where it is asked for. */
export async function showPresence(
  { db, metrics }: Pick<PluginContext, 'db' | 'metrics'>,
  settings: PresenceSettings,
  nowMs: number,
): Promise<void> {
  for (const { presence, drivers, carrying } of await countPresence(db, settings, nowMs)) {
    metrics.set('returnit_tracking_drivers', drivers, { presence });
    if (presence !== 'online') metrics.set('returnit_tracking_silent_drivers', carrying, { presence });
  }
}
