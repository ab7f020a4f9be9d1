import type { MqttMessage, PluginContext } from '#plugin-api';
import { rejected, type Outcome } from './fix.ts';
import type { Intake } from './intake.ts';
import { deleteDeadLetter, findDeadLetter, noteReplay } from './store/dead-letters.ts';

/** Undefined when there is no such letter, or it is gone meanwhile. */
export type ReplayDeadLetter = (id: string) => Promise<Outcome | undefined>;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Takes a letter as the message that it was. One that is taken is no letter any longer; should the removal fail, or two
 * replay it at once, its fix is known and stored once.
 */
export function createDeadLetterReplay(ctx: Pick<PluginContext, 'db' | 'metrics'>, intake: Intake): ReplayDeadLetter {
  return async function replay(id) {
    const letter = await findDeadLetter(ctx.db, id);
    if (letter === undefined) return undefined;
    const bytes = Buffer.from(letter.payload, 'base64');
    const message: MqttMessage = {
      topic: letter.topic,
      payload: '',
      username: letter.username,
      receivedAt: letter.receivedAt,
      retained: false,
      duplicate: false,
    };
    const payload = toText(bytes);
    const outcome =
      bytes.length < letter.payloadBytes
        ? rejected('payload_too_large', `only the first ${bytes.length} of ${letter.payloadBytes} bytes are kept`)
        : payload === undefined
          ? rejected('encoding', 'the payload is not UTF-8')
          : await intake.retake({ ...message, payload });
    if (outcome.kind === 'rejected') await noteReplay(ctx.db, id, outcome);
    else await deleteDeadLetter(ctx.db, id);
    const label = outcome.kind === 'rejected' ? 'refused' : 'replayed';
    ctx.metrics.increment('returnit_tracking_dead_letters_total', { outcome: label });
    return outcome;
  };
}

/** Undefined when it is none. */
export function toText(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    // The only failure of a fatal decoder.
    return undefined;
  }
}
