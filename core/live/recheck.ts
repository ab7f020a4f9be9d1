import { setTimeout as delay } from 'node:timers/promises';
import type { Counter } from '#core/telemetry/metrics.ts';
import type { Watcher } from './watcher.ts';

/** Questions to the channels' owners under way at a time: nobody's own question waits behind all of them. */
const questionsMax = 8;
/** A pass that has become urgent goes on within this. */
const pauseMaxMs = 100;

export interface RecheckOptions {
  readonly rechecks: Counter;
  /** The questions are spread over this: thousands at once would hold up everything else. @default 0 */
  readonly overMs?: number;
  /** Asked before each pause: whether the rest shall be done at once. @default it is spread */
  readonly isUrgent?: () => boolean;
}

/**
 * Asks again whether those who watch still may. Who may no longer is told so; who may gets what was missed. So a message
 * that was lost between two nodes costs time and nothing else.
 */
export async function recheckWatchers(watchers: Iterable<Watcher>, options: RecheckOptions): Promise<void> {
  const { rechecks, overMs = 0, isUrgent = () => false } = options;
  const waiting = [...watchers];
  const pauseMs = Math.min(pauseMaxMs, (overMs * questionsMax) / waiting.length);
  async function work(): Promise<void> {
    for (let watcher = waiting.pop(); watcher !== undefined; watcher = waiting.pop()) {
      if (watcher.isOver) continue;
      rechecks.inc({ outcome: await watcher.recheck() });
      if (pauseMs > 0 && waiting.length > 0 && !isUrgent()) await delay(pauseMs, undefined, { ref: false });
    }
  }
  await Promise.all(Array.from({ length: questionsMax }, work));
}
