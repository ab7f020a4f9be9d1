import type { Transaction } from '#plugin-api';

export const deliverQueue = 'webhooks.deliver';

/** Has the sender look for what is due once this transaction is committed. One job is enough for whatever waits. */
export async function wakeSender(tx: Transaction): Promise<void> {
  await tx.jobs.send(deliverQueue, {}, { singletonKey: 'wake' });
}
