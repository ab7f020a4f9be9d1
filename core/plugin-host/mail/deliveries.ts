import { LRUCache } from 'lru-cache';
import { AppError } from '#core/errors/app-error.ts';
import type { ComposedMail, Smtp } from './smtp.ts';

export interface Deliveries {
  /**
   * Sends a mail once: who asks again while it is under way waits for the same answer, and who asks again after it was
   * taken is answered at once. So a plugin that is killed, or whose call times out, repeats itself without harm.
   */
  deliver(mail: ComposedMail): Promise<void>;
  /** Resolves when nothing is under way any more. */
  settled(): Promise<void>;
}

const rememberedMax = 10_000;
/** Longer than anybody tries again. */
const rememberedMs = 24 * 3_600_000;

export function createDeliveries(smtp: Smtp, { underWayMax }: { readonly underWayMax: number }): Deliveries {
  const taken = new LRUCache<string, true>({ max: rememberedMax, ttl: rememberedMs });
  const underWay = new Map<string, Promise<void>>();

  async function send(mail: ComposedMail): Promise<void> {
    try {
      await smtp.send(mail);
      taken.set(mail.messageId, true);
    } finally {
      underWay.delete(mail.messageId);
    }
  }

  return {
    deliver(mail) {
      const { messageId } = mail;
      if (taken.has(messageId)) return Promise.resolve();
      const running = underWay.get(messageId);
      if (running !== undefined) return running;
      if (underWay.size >= underWayMax) {
        const problem = `Cannot send mail: ${underWayMax} are under way`;
        return Promise.reject(new AppError('MAIL_DEFERRED', problem, { details: { reason: 'busy' } }));
      }
      const sending = send(mail);
      underWay.set(messageId, sending);
      return sending;
    },
    async settled() {
      await Promise.allSettled(underWay.values());
    },
  };
}
