import { Type, type Static } from 'typebox';
import type { HttpReply, PluginContext, Principal } from '#plugin-api';
import { toActor } from '../actor.ts';
import { refuse } from '../errors.ts';
import { maySee, type Actor, type OrderStatus } from '../lifecycle.ts';
import { notFound, OrderParams, type RouteDeps } from '../routes/parts.ts';
import { findOrder } from '../store/orders.ts';
import { closed } from '../text-schemas.ts';
import { deleteFile, storeFile } from './document-flow.ts';
import { Document, toFileName } from './document.ts';
import { toFileReply } from './file-reply.ts';
import { contentTypes } from './recognise.ts';
import { findDocument, listDocuments, readPart } from './store.ts';

const DocumentParams = Type.Object({ ...OrderParams.properties, documentId: Type.String({ format: 'uuid' }) }, closed);
const UploadQuery = Type.Object({ kind: Type.Enum(['label', 'qr']) }, closed);
const Documents = Type.Object({ documents: Type.Array(Document, { maxItems: 1000 }), nextCursor: Type.Null() }, closed);
/** Until the driver has the parcels, and with them the label. */
const openStatuses: readonly OrderStatus[] = [
  'created',
  'scheduled',
  'assigned',
  'on_the_way',
  'arrived',
  'pickup_failed',
];

export function registerDocumentRoutes(deps: RouteDeps): void {
  registerUpload(deps);
  registerDelete(deps);
  registerReading(deps);
}

function registerUpload({ ctx, settings }: RouteDeps): void {
  ctx.http.post(
    '/orders/{orderId}/documents',
    {
      summary: 'Puts a return label or QR code to an order, until its parcels are picked up',
      roles: ['customer', 'partner', 'ops'],
      params: OrderParams,
      query: UploadQuery,
      bodyAs: 'bytes',
      contentTypes,
      bodyMaxBytes: settings.documentMaxBytes,
      response: { 200: Document, 201: Document },
    },
    async ({ principal, params, query, body, headers }) => {
      const actor = toActor(principal);
      const file = { ...params, actor, ...query, stage: null, bytes: body, declared: headers['content-type'] };
      const outcome = await storeFile(ctx.db, file, {
        types: contentTypes,
        statuses: openStatuses,
        counts: ({ stage }) => stage === null,
        max: settings.documentsMax,
        bytesMax: settings.documentsMaxBytes,
        pixelsMin: 1,
      });
      return toFileReply(ctx, file, outcome);
    },
  );
}

function registerDelete({ ctx }: RouteDeps): void {
  ctx.http.delete(
    '/orders/{orderId}/documents/{documentId}',
    {
      summary: 'Deletes a return label or QR code, until the parcels are picked up',
      roles: ['customer', 'partner', 'ops'],
      params: DocumentParams,
      response: { 204: Type.Null() },
    },
    async ({ principal, params }): Promise<HttpReply> => {
      const outcome = await deleteFile(ctx.db, { ...params, actor: toActor(principal), statuses: openStatuses });
      if (outcome.kind === 'missing') return notFound(params.orderId);
      if (outcome.kind === 'missing-document') return documentNotFound(params.documentId);
      if (outcome.kind === 'refused') return refuse(outcome.code, outcome.detail, outcome.extensions);
      ctx.metrics.increment('returnit_orders_documents_total', { kind: outcome.document.kind, outcome: 'deleted' });
      return { status: 204 };
    },
  );
}

function registerReading({ ctx }: RouteDeps): void {
  const roles = ['customer', 'partner', 'driver', 'ops'] as const;
  ctx.http.get(
    '/orders/{orderId}/documents',
    {
      summary: 'All files of an order, oldest first: labels, QR codes, photos and signatures',
      roles,
      params: OrderParams,
      response: { 200: Documents },
    },
    async ({ principal, params: { orderId } }) => {
      if (!(await isVisible(ctx, orderId, toActor(principal)))) return notFound(orderId);
      return { status: 200, body: { documents: await listDocuments(ctx.db, orderId), nextCursor: null } };
    },
  );

  ctx.http.get(
    '/orders/{orderId}/documents/{documentId}',
    { summary: 'What is known of a file', roles, params: DocumentParams, response: { 200: Document } },
    async ({ principal, params }) => {
      const document = await find(ctx, principal, params);
      return 'problem' in document ? document : { status: 200, body: document };
    },
  );

  ctx.http.get(
    '/orders/{orderId}/documents/{documentId}/content',
    {
      summary: 'A file, as it was sent',
      roles,
      params: DocumentParams,
      response: { 200: Type.Any() },
      streams: contentTypes,
    },
    async ({ principal, params }) => {
      const document = await find(ctx, principal, params);
      if ('problem' in document) return document;
      return {
        status: 200,
        contentType: document.contentType,
        headers: {
          'content-disposition': `attachment; filename="${toFileName(document)}"`,
          etag: `"${document.sha256}"`,
        },
        stream: readParts(ctx, document),
      };
    },
  );
}

/** Part by part, as the client takes them. A file that is deleted meanwhile is seen to be incomplete. */
async function* readParts({ db }: PluginContext, { documentId, bytes }: Document): AsyncGenerator<Uint8Array> {
  let read = 0;
  for (let part = 0; read < bytes; part += 1) {
    const content = await readPart(db, documentId, part);
    if (content === undefined) throw new Error(`Cannot read document '${documentId}': part ${part} is gone`);
    const piece = Buffer.from(content, 'base64');
    read += piece.length;
    yield piece;
  }
}

async function isVisible({ db }: PluginContext, orderId: string, actor: Actor): Promise<boolean> {
  const stored = await findOrder(db, orderId);
  return stored !== undefined && maySee(stored.order, actor);
}

type Refused = ReturnType<typeof refuse>;

async function find(
  ctx: PluginContext,
  principal: Principal,
  { orderId, documentId }: Static<typeof DocumentParams>,
): Promise<Document | Refused> {
  if (!(await isVisible(ctx, orderId, toActor(principal)))) return notFound(orderId);
  return (await findDocument(ctx.db, orderId, documentId)) ?? documentNotFound(documentId);
}

const documentNotFound = (documentId: string): Refused =>
  refuse('ORDER_DOCUMENT_NOT_FOUND', `The order has no document '${documentId}'`);
