import { Type } from 'typebox';
import type { HttpReply, HttpRequest, PluginContext } from '#plugin-api';
import { DocumentKind, DocumentList, DriverDocument, NewDocument, toDay } from './document.ts';
import { answer } from './driver-routes.ts';
import { Driver, DriverId, DriverParams } from './driver.ts';
import { driverNotFound, refuse } from './errors.ts';
import { ifMatch, toEtag } from './etag.ts';
import { approve, suspend, type OnboardingOutcome } from './onboarding.ts';
import type { Settings } from './settings.ts';
import { listDocuments, recordDocument } from './store/documents.ts';
import { findDriver, lockDriver } from './store/drivers.ts';

const closed = { additionalProperties: false } as const;
const DocumentParams = Type.Object({ driverId: DriverId, kind: DocumentKind }, closed);
const Suspension = Type.Object({ reason: Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]{1,200}$' }) }, closed);

export function registerOnboardingRoutes(
  ctx: PluginContext,
  { settings, now }: { readonly settings: Settings; readonly now: () => number },
): void {
  ctx.http.post(
    '/drivers/{driverId}/approve',
    {
      summary: 'Approves a driver that applied or was suspended, when its required documents are valid',
      roles: ['ops'],
      params: DriverParams,
      response: { 200: Driver },
      ifMatch: true,
    },
    ({ principal, params: { driverId }, headers }) =>
      ctx.db.transaction(async (tx) => {
        const outcome = await approve(tx, {
          driverId,
          by: { kind: 'ops', id: principal.id },
          required: settings.documentsRequired,
          today: toDay(now()),
          isCurrent: ({ version }) => ifMatch(headers, version),
        });
        return toReply(driverId, outcome);
      }),
  );

  ctx.http.post(
    '/drivers/{driverId}/suspend',
    {
      summary: 'Suspends a driver: off shift, its orders to others, its devices disconnected',
      roles: ['ops'],
      params: DriverParams,
      body: Suspension,
      response: { 200: Driver },
      ifMatch: true,
    },
    ({ principal, params: { driverId }, body: { reason }, headers }) =>
      ctx.db.transaction(async (tx) => {
        const outcome = await suspend(tx, {
          driverId,
          by: { kind: 'ops', id: principal.id },
          reason,
          isCurrent: ({ version }) => ifMatch(headers, version),
        });
        return toReply(driverId, outcome);
      }),
  );
  registerDocuments(ctx);
}

function registerDocuments(ctx: PluginContext): void {
  ctx.http.get(
    '/drivers/{driverId}/documents',
    {
      summary: "A driver's documents",
      roles: ['driver', 'ops'],
      params: DriverParams,
      response: { 200: DocumentList },
    },
    async ({ principal, params: { driverId } }) => {
      if (principal.role === 'driver' && principal.id !== driverId) return driverNotFound(driverId);
      if ((await findDriver(ctx.db, driverId)) === undefined) return driverNotFound(driverId);
      return { status: 200, body: { documents: await listDocuments(ctx.db, driverId) } };
    },
  );

  ctx.http.put(
    '/drivers/{driverId}/documents/{kind}',
    {
      summary: 'Records a document; the driver itself until it is approved, then ops',
      roles: ['driver', 'ops'],
      params: DocumentParams,
      body: NewDocument,
      response: { 200: DriverDocument },
      ifMatch: true,
    },
    (request) => record(ctx, request),
  );
}

async function record(
  ctx: PluginContext,
  {
    principal,
    params: { driverId, kind },
    body,
    headers,
  }: HttpRequest<{ readonly driverId: string; readonly kind: DocumentKind }, unknown, NewDocument>,
): Promise<HttpReply> {
  const isDriver = principal.role === 'driver';
  if (isDriver && principal.id !== driverId) return driverNotFound(driverId);
  return ctx.db.transaction(async (tx): Promise<HttpReply> => {
    const driver = await lockDriver(tx, driverId);
    if (driver === undefined) return driverNotFound(driverId);
    // Else a driver could keep itself from being suspended by a date that nobody has looked at.
    if (isDriver && driver.status !== 'applied') {
      const detail = `Cannot change the ${kind} of driver '${driverId}', who is ${driver.status}: ops may`;
      return refuse('DRIVER_DOCUMENTS_CLOSED', detail);
    }
    // The driver is locked: nobody else writes one of its documents now.
    const known = (await listDocuments(tx, driverId)).find((document) => document.kind === kind);
    if (!ifMatch(headers, known?.version ?? 0)) {
      const detail = `Cannot record the ${kind} of driver '${driverId}': it is at version ${toEtag(known?.version ?? 0)} by now`;
      return refuse('DRIVER_DOCUMENT_CHANGED', detail);
    }
    const document = await recordDocument(tx, { ...body, driverId, kind, recordedBy: principal.id });
    return { status: 200, body: document, headers: { etag: toEtag(document.version) } };
  });
}

function toReply(driverId: string, outcome: OnboardingOutcome): HttpReply {
  switch (outcome.kind) {
    case 'missing':
      return driverNotFound(driverId);
    case 'changed':
      return refuse('DRIVER_CHANGED', `Cannot change driver '${driverId}': it has another version by now`);
    case 'lacking':
      return refuse(
        'DRIVER_DOCUMENTS_LACKING',
        `Cannot approve driver '${driverId}': no valid ${outcome.documents.join(', ')}`,
        { lacking: outcome.documents },
      );
    default:
      return answer(200, outcome.driver);
  }
}
