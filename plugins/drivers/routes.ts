import { randomUUIDv7 } from 'node:crypto';
import { Type } from 'typebox';
import type { HttpReply, PluginContext } from '#plugin-api';
import { tryWaiting } from './dispatch.ts';
import { Driver, DriverId, DriverPage, fromCursor, NewDriver, toCursor } from './driver.ts';
import { refuse } from './errors.ts';
import { findDriver, insertDriver, listDrivers, setShift } from './store/drivers.ts';

const closed = { additionalProperties: false } as const;
const DriverParams = Type.Object({ driverId: DriverId }, closed);
const ListQuery = Type.Object(
  {
    onShift: Type.Optional(Type.Boolean()),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  closed,
);
const Shift = Type.Object({ onShift: Type.Boolean() }, closed);

const notFound = (driverId: string): HttpReply =>
  refuse('DRIVER_NOT_FOUND', `No driver '${driverId}' exists that you may see`);

export function registerRoutes(ctx: PluginContext): void {
  ctx.http.post(
    '/drivers',
    { summary: 'Registers a driver', roles: ['ops'], body: NewDriver, response: { 201: Driver } },
    async ({ body }) => {
      const driverId = body.driverId ?? randomUUIDv7();
      const driver = await insertDriver(ctx.db, { driverId, name: body.name, vehicle: body.vehicle });
      return driver === undefined
        ? refuse('DRIVER_EXISTS', `Cannot register the driver: id '${driverId}' is taken`)
        : { status: 201, body: driver, headers: { location: `/drivers/${driverId}` } };
    },
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

  ctx.http.get(
    '/drivers/{driverId}',
    { summary: 'One driver', roles: ['driver', 'ops'], params: DriverParams, response: { 200: Driver } },
    async ({ principal, params: { driverId } }) => {
      if (principal.role === 'driver' && principal.id !== driverId) return notFound(driverId);
      const driver = await findDriver(ctx.db, driverId);
      return driver === undefined ? notFound(driverId) : { status: 200, body: driver };
    },
  );

  ctx.http.post(
    '/drivers/{driverId}/shift',
    {
      summary: 'Puts a driver on or off shift',
      roles: ['driver', 'ops'],
      params: DriverParams,
      body: Shift,
      response: { 200: Driver },
    },
    async ({ principal, params: { driverId }, body }) => {
      if (principal.role === 'driver' && principal.id !== driverId) return notFound(driverId);
      const driver = await ctx.db.transaction(async (tx) => {
        const changed = await setShift(tx, driverId, body.onShift);
        if (changed?.onShift === true) await tryWaiting(tx);
        return changed;
      });
      return driver === undefined ? notFound(driverId) : { status: 200, body: driver };
    },
  );
}

async function list(
  ctx: PluginContext,
  query: { readonly onShift?: boolean; readonly limit?: number; readonly cursor?: string },
): Promise<HttpReply> {
  const after = query.cursor === undefined ? null : fromCursor(query.cursor);
  if (after === undefined) return refuse('DRIVER_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
  const limit = query.limit ?? 20;
  const rows = await listDrivers(ctx.db, { after, onShift: query.onShift ?? null, limit: limit + 1 });
  const drivers = rows.slice(0, limit);
  const last = drivers.at(-1);
  return {
    status: 200,
    body: { drivers, nextCursor: rows.length > limit && last !== undefined ? toCursor(last.driverId) : null },
  };
}
