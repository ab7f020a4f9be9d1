import type { PluginContext } from '#plugin-api';
import type { Dispatcher } from './dispatcher.ts';
import type { SecretBox } from './secret-box.ts';
import type { Settings } from './settings.ts';
import { expireDeliveries, pruneDeliveries, pruneEndpoints, pruneMessages } from './store/keeping.ts';
import { listOldSealed, pruneSecrets, replaceSealed } from './store/secrets.ts';
import { deliverQueue } from './wake.ts';

const expireQueue = 'webhooks.expire';
const pruneQueue = 'webhooks.prune';

/** The last attempt of a delivery is when its time is over: it must have had the chance. */
const expiryGraceSeconds = 300;
const rowsMax = 1000;

export interface JobDeps {
  readonly settings: Settings;
  readonly secretBox: SecretBox;
  readonly dispatcher: Pick<Dispatcher, 'wake'>;
}

export function registerJobs(ctx: PluginContext, deps: JobDeps): void {
  ctx.jobs.work(deliverQueue, () => Promise.resolve(deps.dispatcher.wake()), { concurrency: 1 });

  ctx.jobs.work(
    expireQueue,
    async ({ signal }) => {
      const expired = await untilFew(signal, () =>
        expireDeliveries(ctx.db, { graceSeconds: expiryGraceSeconds, limit: rowsMax }),
      );
      if (expired > 0) ctx.metrics.increment('returnit_webhooks_deliveries_total', { outcome: 'expired' }, expired);
    },
    { concurrency: 1 },
  );
  ctx.jobs.schedule(expireQueue, '* * * * *');

  ctx.jobs.work(pruneQueue, ({ signal }) => prune(ctx, deps, signal), { concurrency: 1 });
  ctx.jobs.schedule(pruneQueue, '23 * * * *');
}

async function prune(ctx: PluginContext, { settings, secretBox }: JobDeps, signal: AbortSignal): Promise<void> {
  const { retentionDays } = settings;
  const deliveries = await untilFew(signal, () => pruneDeliveries(ctx.db, retentionDays, rowsMax));
  await untilFew(signal, () => pruneMessages(ctx.db, retentionDays, rowsMax));
  await untilFew(signal, () => pruneEndpoints(ctx.db, retentionDays, rowsMax));
  await pruneSecrets(ctx.db);
  if (deliveries > 0) ctx.metrics.increment('returnit_webhooks_pruned_total', {}, deliveries);
  if (secretBox.usable) await resealAll(ctx, secretBox, signal);
}

/** In small pieces, so that no lock is held for long. @returns how many rows in all */
async function untilFew(signal: AbortSignal, step: () => Promise<number>): Promise<number> {
  let all = 0;
  for (;;) {
    const rows = await step();
    all += rows;
    if (rows < rowsMax || signal.aborted) return all;
  }
}

const beforeAllIds = '00000000-0000-0000-0000-000000000000';

/** Secrets that an earlier key sealed get the current one, so that the earlier can be thrown away after a day. */
async function resealAll(ctx: PluginContext, secretBox: SecretBox, signal: AbortSignal): Promise<void> {
  let after = beforeAllIds;
  while (!signal.aborted) {
    const page = await listOldSealed(ctx.db, { currentPrefix: secretBox.currentPrefix, after, limit: rowsMax });
    for (const secret of page) {
      try {
        const plain = secretBox.open(secret.sealed, secret.endpointId);
        await replaceSealed(ctx.db, secret, secretBox.seal(plain, secret.endpointId));
      } catch (error) {
        ctx.log.error('a webhook secret cannot be sealed anew', {
          endpointId: secret.endpointId,
          error: (error as Error).message,
        });
      }
    }
    const last = page.at(-1);
    if (last === undefined || page.length < rowsMax) return;
    after = last.secretId;
  }
}
