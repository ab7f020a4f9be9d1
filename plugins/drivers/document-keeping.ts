import type { PluginContext } from '#plugin-api';
import { toDay, type DocumentKind } from './document.ts';
import { suspend } from './onboarding.ts';
import type { Settings } from './settings.ts';
import { listExpired, warnOfDocuments, type ExpiringDocument } from './store/documents.ts';

const dayMs = 86_400_000;
/** Documents of one transaction. */
const batchMax = 200;

export interface DocumentKeepingOptions {
  readonly settings: Pick<Settings, 'documentsRequired' | 'documentWarningDays'>;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** Warns of documents that expire soon, once each; suspends drivers one of whose required documents has expired. */
export async function keepDocuments(ctx: PluginContext, options: DocumentKeepingOptions): Promise<void> {
  const { settings, nowMs, signal } = options;
  const today = toDay(nowMs);
  for (let count = batchMax; count === batchMax && !signal.aborted;) {
    count = await warn(ctx, today, settings.documentWarningDays);
  }
  await suspendExpired(ctx, { today, required: settings.documentsRequired, signal });
}

async function warn(ctx: PluginContext, today: string, days: number): Promise<number> {
  const expiring = await ctx.db.transaction(async (tx) => {
    const found = await warnOfDocuments(tx, { today, days, limit: batchMax });
    for (const { driverId, kind, expiresOn } of found) {
      const daysLeft = Math.round((Date.parse(expiresOn) - Date.parse(today)) / dayMs);
      await tx.events.publish('driver.document_expiring', { driverId, kind, expiresOn, daysLeft });
    }
    return found;
  });
  if (expiring.length > 0) ctx.metrics.increment('returnit_documents_total', { outcome: 'expiring' }, expiring.length);
  return expiring.length;
}

async function suspendExpired(
  ctx: PluginContext,
  filter: { readonly today: string; readonly required: readonly DocumentKind[]; readonly signal: AbortSignal },
): Promise<void> {
  const { today, required, signal } = filter;
  if (required.length === 0) return;
  for (let after = ''; !signal.aborted;) {
    const page: readonly ExpiringDocument[] = await listExpired(ctx.db, { today, required, after, limit: batchMax });
    for (const document of page) await suspendFor(ctx, document);
    const last = page.at(-1);
    if (page.length < batchMax || last === undefined) return;
    after = last.driverId;
  }
}

async function suspendFor(ctx: PluginContext, { driverId, kind, expiresOn }: ExpiringDocument): Promise<void> {
  const reason = `${kind} expired on ${expiresOn}`;
  const outcome = await ctx.db.transaction((tx) =>
    suspend(tx, { driverId, by: { kind: 'system', id: 'drivers' }, reason, isCurrent: () => true }),
  );
  if (outcome.kind !== 'moved') return;
  ctx.metrics.increment('returnit_documents_total', { outcome: 'expired' });
  ctx.log.warn('a driver was suspended: a required document has expired', { driverId, kind });
}
