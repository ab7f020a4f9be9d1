import { withSpan } from '#core/telemetry/tracing.ts';
import type { Content } from './batch-handling.ts';
import { traceLinks } from './trace-links.ts';

/** The span of a batch on its way through a plugin, linked to what its devices say of their own traces. */
export function withBatchSpan(
  { plugin, filter }: { readonly plugin: string; readonly filter: string },
  batch: readonly { readonly content: Content }[],
  work: () => Promise<void>,
): Promise<void> {
  const attributes = {
    'messaging.system': 'mqtt',
    'messaging.operation.name': 'process',
    'messaging.destination.template': filter,
    'messaging.batch.message_count': batch.length,
    'returnit.plugin': plugin,
  };
  const links = traceLinks(batch.map(({ content }) => content.text));
  return withSpan(`process ${filter}`, { kind: 'consumer', attributes, links }, work);
}
