import type { DomainEvent, PluginContext, Transaction } from '#plugin-api';
import { orderEvents, paymentEvents, toMessage, type EventFacts, type Message } from './payload.ts';
import type { Settings } from './settings.ts';
import { hasMessage, insertMessage, queueDeliveries } from './store/messages.ts';
import { wakeSender } from './wake.ts';

export function registerEvents(ctx: PluginContext, settings: Settings): void {
  for (const name of [...orderEvents, ...paymentEvents]) {
    const handle = async (event: DomainEvent<EventFacts>, tx: Transaction): Promise<void> => {
      const { queued, dropped } = await tell(tx, { ...event, name }, settings);
      if (queued > 0) ctx.metrics.increment('returnit_webhooks_queued_total', {}, queued);
      if (dropped === 0) return;
      ctx.metrics.increment('returnit_webhooks_deliveries_total', { outcome: 'dropped' }, dropped);
      ctx.log.warn('webhooks dropped, the backlog of an endpoint is full', {
        partnerId: event.data.partnerId,
        dropped,
      });
    };
    ctx.events.on<EventFacts>(name, handle, { having: 'partnerId' });
  }
}

const nothing = { queued: 0, dropped: 0 } as const;

/** Writes a delivery for each endpoint that wants the event; the sender is woken when this transaction is committed. */
export async function tell(
  tx: Transaction,
  event: Pick<DomainEvent<EventFacts>, 'id' | 'name' | 'publishedAt' | 'data'>,
  settings: Pick<Settings, 'retrySeconds' | 'backlogMax' | 'reorderWaitSeconds'>,
): Promise<{ readonly queued: number; readonly dropped: number }> {
  const message = toMessage(event);
  if (message === undefined || !(await insertMessage(tx, message))) return nothing;
  const told = await queueDeliveries(tx, message.messageId, {
    asked: askedFor(message.type),
    holdSeconds: (await isPredecessorMissing(tx, message)) ? settings.reorderWaitSeconds : 0,
    retrySeconds: settings.retrySeconds,
    backlogMax: settings.backlogMax,
  });
  await wakeSender(tx);
  return told;
}

/** Events overtake each other on their way to us. The one before is most often a moment away. */
async function isPredecessorMissing(tx: Transaction, { subject, rank, hasPredecessor }: Message): Promise<boolean> {
  return hasPredecessor && subject !== null && !(await hasMessage(tx, subject, rank - 1));
}

function askedFor(type: string): readonly string[] {
  return [type, `${type.slice(0, type.indexOf('.'))}.*`];
}
