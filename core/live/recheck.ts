import type { Counter } from '#core/telemetry/metrics.ts';
import type { Watcher } from './watcher.ts';

/** Questions to the channels' owners under way at a time: nobody's own question waits behind all of them. */
const questionsMax = 8;

/**
 * Asks again whether those who watch still may. Who may no longer is told so; who may gets what was missed. So a message
 * that was lost between two nodes costs time and nothing else.
 */
export async function recheckWatchers(watchers: Iterable<Watcher>, rechecks: Counter): Promise<void> {
  const waiting = [...watchers];
  async function work(): Promise<void> {
    for (let watcher = waiting.pop(); watcher !== undefined; watcher = waiting.pop()) {
      rechecks.inc({ outcome: await watcher.recheck() });
    }
  }
  await Promise.all(Array.from({ length: questionsMax }, work));
}
