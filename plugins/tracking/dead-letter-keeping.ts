import type { PluginContext } from '#plugin-api';
import { toDeadLetters, type RejectedMessage } from './dead-letter.ts';
import { before } from './deadline.ts';
import type { Settings } from './settings.ts';
import { insertDeadLetters, trimDeadLetters } from './store/dead-letters.ts';

/** Keeps rejected messages. It never throws and never takes long: the good fixes of the batch wait for their acknowledgement. */
export type KeepDeadLetters = (rejected: readonly RejectedMessage[]) => Promise<void>;

/** Longest wait for a write, which may go on after it. */
const writeTimeoutMs = 2000;
/** Writes under way, those that nobody waits for any longer among them: a table that is locked must not take all connections. */
const writesMax = 3;

export type DeadLetterSettings = Pick<Settings, 'deadLettersMax' | 'deadLettersMaxBytes' | 'deadLetterPayloadMaxBytes'>;

export function createDeadLetterKeeping(
  ctx: Pick<PluginContext, 'db' | 'log' | 'metrics'>,
  settings: DeadLetterSettings,
): KeepDeadLetters {
  const bounds = { lettersMax: settings.deadLettersMax, bytesMax: settings.deadLettersMaxBytes };
  let writes = 0;

  function count(outcome: string, letters: number): void {
    if (letters > 0) ctx.metrics.increment('returnit_tracking_dead_letters_total', { outcome }, letters);
  }

  async function write(rejected: readonly RejectedMessage[]): Promise<void> {
    const letters = toDeadLetters(rejected, settings.deadLetterPayloadMaxBytes);
    const kept = await insertDeadLetters(ctx.db, letters);
    count('kept', kept);
    count('repeated', rejected.length - kept);
    const trimmed = await trimDeadLetters(ctx.db, bounds);
    count('dropped', trimmed.dropped);
    ctx.metrics.set('returnit_tracking_dead_letters_kept', trimmed.letters);
    ctx.metrics.set('returnit_tracking_dead_letters_kept_bytes', trimmed.bytes);
  }

  return async function keep(rejected) {
    if (rejected.length === 0) return;
    let isKept = false;
    try {
      if (writes >= writesMax) throw new Error(`${writes} earlier writes have not ended`);
      writes += 1;
      const done = write(rejected).finally(() => (writes -= 1));
      // Whoever stops waiting has counted it; how it ends then is of no interest.
      done.catch(() => undefined);
      await before(done, writeTimeoutMs, 'the dead letters were not written');
      isKept = true;
    } catch (error) {
      ctx.log.warn('rejected messages were acknowledged and not kept', {
        messages: rejected.length,
        reason: String(error),
      });
    }
    if (!isKept) count('lost', rejected.length);
  };
}
