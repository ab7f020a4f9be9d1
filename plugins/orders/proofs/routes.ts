import { Type } from 'typebox';
import type { HttpReply, HttpRequest } from '#plugin-api';
import { toActor } from '../actor.ts';
import { storeFile, type FileRules } from '../documents/document-flow.ts';
import { Document, type DocumentKind } from '../documents/document.ts';
import { toFileReply } from '../documents/file-reply.ts';
import { contentTypes, type ContentType } from '../documents/recognise.ts';
import { refuse } from '../errors.ts';
import { maySee } from '../lifecycle.ts';
import { notFound, OrderParams, type RouteDeps } from '../routes/parts.ts';
import { findOrder } from '../store/orders.ts';
import { closed } from '../text-schemas.ts';
import { giveProof, provableStatuses, readProofs } from './proof-flow.ts';
import { NewProof, Proof, Proofs, StageName, stagePaths, type StagePath } from './proof.ts';

const StageParams = Type.Object({ ...OrderParams.properties, stage: StageName }, closed);
const pictures = contentTypes.filter((type) => type !== 'application/pdf');

interface FileRoute {
  readonly name: string;
  readonly kind: Extract<DocumentKind, 'photo' | 'signature'>;
  readonly summary: string;
  readonly types: readonly ContentType[];
}

const fileRoutes: readonly FileRoute[] = [
  { name: 'photos', kind: 'photo', summary: 'Adds a photo to the proof of a stop', types: pictures },
  // What is drawn by hand is a picture like any other: nothing in it is run, as in an SVG.
  { name: 'signatures', kind: 'signature', summary: 'Adds a signature to the proof of a stop', types: ['image/png'] },
];

export function registerProofRoutes(deps: RouteDeps): void {
  const { ctx, settings, now } = deps;
  ctx.http.post(
    '/orders/{orderId}/proofs/{stage}',
    {
      summary: 'Adds to the proof of a stop: position, scans of parcels, who signed',
      roles: ['driver', 'ops'],
      params: StageParams,
      body: NewProof,
      response: { 200: Proof, 201: Proof },
    },
    async ({ principal, params, body }): Promise<HttpReply> => {
      const { orderId } = params;
      const stage = stagePaths[params.stage];
      const given = { orderId, stage, actor: toActor(principal), proof: body };
      const outcome = await giveProof(ctx.db, given, { max: settings.proofRecordsMax, nowMs: now() });
      ctx.metrics.increment('returnit_orders_proofs_total', { stage, outcome: outcome.kind });
      if (outcome.kind === 'missing') return notFound(orderId);
      if (outcome.kind === 'refused') return refuse(outcome.code, outcome.detail, outcome.extensions);
      return { status: outcome.kind === 'stored' ? 201 : 200, body: outcome.proof };
    },
  );
  for (const route of fileRoutes) registerFiles(deps, route);

  ctx.http.get(
    '/orders/{orderId}/proofs',
    {
      summary: 'What proves pickup and drop-off of an order, and what is missing',
      roles: ['customer', 'partner', 'driver', 'ops'],
      params: OrderParams,
      response: { 200: Proofs },
    },
    async ({ principal, params: { orderId } }) => {
      const stored = await findOrder(ctx.db, orderId);
      if (stored === undefined || !maySee(stored.order, toActor(principal))) return notFound(orderId);
      return { status: 200, body: { proofs: await readProofs(ctx.db, stored), nextCursor: null } };
    },
  );
}

type FileRequest = HttpRequest<{ readonly orderId: string; readonly stage: StagePath }, unknown, Uint8Array>;

function registerFiles({ ctx, settings }: RouteDeps, { name, kind, summary, types }: FileRoute): void {
  const rulesOf = (stage: (typeof stagePaths)[StagePath]): FileRules => ({
    types,
    statuses: provableStatuses[stage],
    counts: (document, attempt) => document.stage === stage && document.attempt === attempt,
    max: settings.proofFilesMax,
    bytesMax: settings.proofFilesMax * settings.proofFileMaxBytes,
    pixelsMin: kind === 'photo' ? settings.photoPixelsMin : 1,
  });
  ctx.http.post(
    `/orders/{orderId}/proofs/{stage}/${name}`,
    {
      summary,
      roles: ['driver', 'ops'],
      params: StageParams,
      bodyAs: 'bytes',
      contentTypes: types,
      bodyMaxBytes: settings.proofFileMaxBytes,
      response: { 200: Document, 201: Document },
    },
    async ({ principal, params, body, headers }: FileRequest) => {
      const { orderId } = params;
      const stage = stagePaths[params.stage];
      const actor = toActor(principal);
      const file = { orderId, actor, kind, stage, bytes: body, declared: headers['content-type'] };
      return toFileReply(ctx, file, await storeFile(ctx.db, file, rulesOf(stage)));
    },
  );
}
