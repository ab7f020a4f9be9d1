import type { HttpReply, PluginContext } from '#plugin-api';
import { refuse } from '../errors.ts';
import { notFound } from '../routes/parts.ts';
import type { FileOutcome, NewFile } from './document-flow.ts';

/** What became of a file that was sent, counted and as an answer. */
export function toFileReply(
  { metrics }: Pick<PluginContext, 'metrics'>,
  { kind, orderId }: Pick<NewFile, 'kind' | 'orderId'>,
  outcome: FileOutcome,
): HttpReply {
  metrics.increment('returnit_orders_documents_total', { kind, outcome: outcome.kind });
  if (outcome.kind === 'missing') return notFound(orderId);
  if (outcome.kind === 'refused') return refuse(outcome.code, outcome.detail, outcome.extensions);
  const { document } = outcome;
  if (outcome.kind === 'repeated') return { status: 200, body: document };
  metrics.increment('returnit_orders_document_bytes_total', { kind }, document.bytes);
  const location = `/orders/${orderId}/documents/${document.documentId}`;
  return { status: 201, body: document, headers: { location } };
}
