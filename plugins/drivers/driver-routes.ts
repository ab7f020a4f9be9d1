import { Type } from 'typebox';
import type { HttpReply, HttpRequest, PluginContext } from '#plugin-api';
import { fromCursor, toCursor, toPage } from './cursor.ts';
import { lackingDocuments, toDay } from './document.ts';
import {
  Driver,
  DriverChange,
  DriverPage,
  DriverParams,
  driverStatuses,
  DriverStory,
  NewDriver,
  reservedIds,
  type DriverStatus,
} from './driver.ts';
import { cursorInvalid, driverNotFound, refuse } from './errors.ts';
import { ifMatch, toEtag } from './etag.ts';
import type { Settings } from './settings.ts';
import { recordDocument } from './store/documents.ts';
import {
  changeDriver,
  findDriver,
  insertDriver,
  insertStatusChange,
  listDrivers,
  listStatusChanges,
  lockDriver,
  toDriver,
  type StoredDriver,
} from './store/drivers.ts';

const ListQuery = Type.Object(
  {
    onShift: Type.Optional(Type.Boolean()),
    status: Type.Optional(Type.Enum([...driverStatuses])),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  { additionalProperties: false },
);

export function registerDriverRoutes(
  ctx: PluginContext,
  { settings, now }: { readonly settings: Settings; readonly now: () => number },
): void {
  ctx.http.post(
    '/drivers',
    {
      summary: 'Registers a driver, who is approved when ops does it and its documents are there; a driver applies',
      roles: ['ops', 'driver'],
      body: NewDriver,
      response: { 200: Driver, 201: Driver },
    },
    (request) => register(ctx, request, { settings, today: toDay(now()) }),
  );

  ctx.http.get(
    '/drivers',
    {
      summary: 'Lists drivers in the order of their ids',
      roles: ['ops'],
      query: ListQuery,
      response: { 200: DriverPage },
    },
    ({ query }) => list(ctx, query),
  );
  registerOne(ctx);
}

function registerOne(ctx: PluginContext): void {
  ctx.http.get(
    '/drivers/{driverId}',
    {
      summary: 'One driver, with what became of it',
      roles: ['driver', 'ops'],
      params: DriverParams,
      response: { 200: DriverStory },
    },
    async ({ principal, params: { driverId } }) => {
      if (principal.role === 'driver' && principal.id !== driverId) return driverNotFound(driverId);
      const driver = await findDriver(ctx.db, driverId);
      if (driver === undefined) return driverNotFound(driverId);
      const history = await listStatusChanges(ctx.db, driverId);
      return {
        status: 200,
        body: { ...toDriver(driver), history },
        headers: { etag: toEtag(driver.version) },
      };
    },
  );

  ctx.http.patch(
    '/drivers/{driverId}',
    {
      summary: "Changes a driver's name, vehicle, capacity, or whether it accepts by itself",
      roles: ['ops'],
      params: DriverParams,
      body: DriverChange,
      response: { 200: Driver },
      ifMatch: true,
    },
    ({ params: { driverId }, body, headers }) =>
      ctx.db.transaction(async (tx): Promise<HttpReply> => {
        const driver = await lockDriver(tx, driverId);
        if (driver === undefined) return driverNotFound(driverId);
        if (!ifMatch(headers, driver.version)) return driverChanged(driver);
        return answer(200, await changeDriver(tx, driverId, body));
      }),
  );
}

export function driverChanged({ driverId, version }: StoredDriver): HttpReply {
  return refuse('DRIVER_CHANGED', `Cannot change driver '${driverId}': it is at version ${toEtag(version)} by now`);
}

export function answer(status: number, driver: StoredDriver): HttpReply {
  return { status, body: toDriver(driver), headers: { etag: toEtag(driver.version) } };
}

interface Registration {
  readonly settings: Settings;
  readonly today: string;
}

async function register(
  ctx: PluginContext,
  request: HttpRequest<unknown, unknown, NewDriver>,
  { settings, today }: Registration,
): Promise<HttpReply> {
  const { principal, body } = request;
  const isOps = principal.role === 'ops';
  if (!isOps && (body.autoAccept !== undefined || body.capacity !== undefined)) {
    return refuse('DRIVER_FIELD_FORBIDDEN', "'autoAccept' and 'capacity' are for ops to say");
  }
  const driverId = isOps ? (body.driverId ?? request.newId()) : principal.id;
  if (body.driverId !== undefined && body.driverId !== driverId) return driverNotFound(body.driverId);
  if (reservedIds.includes(driverId) || !/^[A-Za-z0-9_-]{1,64}$/.test(driverId)) {
    return refuse('DRIVER_ID_RESERVED', `Cannot register the driver: '${driverId}' is no id for one`);
  }
  const documents = body.documents ?? [];
  const isComplete = lackingDocuments(documents, settings.documentsRequired, today).length === 0;
  const status: DriverStatus = isOps && isComplete ? 'approved' : 'applied';
  const { name, vehicle, capacity = null, autoAccept = false } = body;
  return ctx.db.transaction(async (tx): Promise<HttpReply> => {
    const driver = await insertDriver(tx, { driverId, name, vehicle, capacity, autoAccept, status });
    if (driver === undefined) return repeated(request, await findDriver(tx, driverId));
    const { role: byKind, id: byId } = principal;
    await insertStatusChange(tx, { driverId, status, reason: null, byKind, byId });
    for (const document of documents) await recordDocument(tx, { ...document, driverId, recordedBy: byId });
    if (status === 'approved') await tx.events.publish('driver.approved', { driverId });
    return { ...answer(201, driver), headers: { location: `/drivers/${driverId}`, etag: toEtag(driver.version) } };
  });
}

/** An id that only this request, repeated, can have: it is answered as the first time. */
function repeated(
  { headers, body }: HttpRequest<unknown, unknown, NewDriver>,
  driver: StoredDriver | undefined,
): HttpReply {
  if (driver !== undefined && body.driverId === undefined && headers['idempotency-key'] !== undefined) {
    return answer(200, driver);
  }
  return refuse('DRIVER_EXISTS', `Cannot register the driver: id '${driver?.driverId}' is taken`);
}

async function list(
  ctx: PluginContext,
  query: {
    readonly onShift?: boolean;
    readonly status?: DriverStatus;
    readonly limit?: number;
    readonly cursor?: string;
  },
): Promise<HttpReply> {
  const { onShift = null, status = null, limit = 20, cursor } = query;
  const after = cursor === undefined ? null : fromCursor(cursor);
  if (after === undefined) return cursorInvalid();
  const found = await listDrivers(ctx.db, { after, onShift, status, limit: limit + 1 });
  const { rows, nextCursor } = toPage(found, limit, ({ driverId }) => toCursor(driverId));
  return { status: 200, body: { drivers: rows.map(toDriver), nextCursor } };
}
