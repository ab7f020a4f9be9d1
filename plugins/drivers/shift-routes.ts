import { Type } from 'typebox';
import type { HttpReply, PluginContext, Principal, Transaction } from '#plugin-api';
import { fromTheNewest, fromTimeCursor, toPage, toTimeCursor } from './cursor.ts';
import { tryWaiting } from './dispatch.ts';
import { Driver, DriverParams } from './driver.ts';
import { answer } from './driver-routes.ts';
import { cursorInvalid, driverNotFound, refuse } from './errors.ts';
import { withdrawFrom } from './onboarding.ts';
import { ShiftPage, step, workingOf, type WorkAction, type Working } from './shift.ts';
import type { Settings } from './settings.ts';
import { findDriver, lockDriver, setWorking } from './store/drivers.ts';
import { beginShift, endShifts, listShifts } from './store/shifts.ts';

const closed = { additionalProperties: false } as const;
const PageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  closed,
);

export function registerShiftRoutes(ctx: PluginContext, settings: Settings): void {
  ctx.http.post(
    '/drivers/{driverId}/shift',
    {
      summary: 'Puts a driver on or off shift',
      roles: ['driver', 'ops'],
      params: DriverParams,
      body: Type.Object({ onShift: Type.Boolean() }, closed),
      response: { 200: Driver },
    },
    ({ principal, params: { driverId }, body: { onShift } }) =>
      change(ctx, settings, { principal, driverId, action: onShift ? 'start_shift' : 'end_shift' }),
  );

  ctx.http.post(
    '/drivers/{driverId}/break',
    {
      summary: 'Begins or ends a break: nobody on a break is offered anything',
      roles: ['driver', 'ops'],
      params: DriverParams,
      body: Type.Object({ onBreak: Type.Boolean() }, closed),
      response: { 200: Driver },
    },
    ({ principal, params: { driverId }, body: { onBreak } }) =>
      change(ctx, settings, { principal, driverId, action: onBreak ? 'start_break' : 'end_break' }),
  );

  ctx.http.get(
    '/drivers/{driverId}/shifts',
    {
      summary: "A driver's shifts and breaks, the newest first",
      roles: ['driver', 'ops'],
      params: DriverParams,
      query: PageQuery,
      response: { 200: ShiftPage },
    },
    async ({ principal, params: { driverId }, query: { limit = 20, cursor } }) => {
      if (principal.role === 'driver' && principal.id !== driverId) return driverNotFound(driverId);
      if ((await findDriver(ctx.db, driverId)) === undefined) return driverNotFound(driverId);
      const before = cursor === undefined ? fromTheNewest('text') : fromTimeCursor(cursor, 'text');
      if (before === undefined) return cursorInvalid();
      const found = await listShifts(ctx.db, { driverId, before, limit: limit + 1 });
      const { rows, nextCursor } = toPage(found, limit, ({ startedAt, kind }) =>
        toTimeCursor({ createdAt: startedAt, id: kind }),
      );
      return { status: 200, body: { shifts: rows, nextCursor } };
    },
  );
}

interface WorkChange {
  readonly principal: Principal;
  readonly driverId: string;
  readonly action: WorkAction;
}

async function change(
  ctx: PluginContext,
  settings: Settings,
  { principal, driverId, action }: WorkChange,
): Promise<HttpReply> {
  if (principal.role === 'driver' && principal.id !== driverId) return driverNotFound(driverId);
  return ctx.db.transaction(async (tx): Promise<HttpReply> => {
    const driver = await lockDriver(tx, driverId);
    if (driver === undefined) return driverNotFound(driverId);
    if (driver.status !== 'approved' && action !== 'end_shift') {
      return refuse('DRIVER_NOT_APPROVED', `Driver '${driverId}' is ${driver.status}: it cannot be on shift`);
    }
    const from = workingOf(driver);
    const to = step(from, action);
    if (to === undefined) return refuse('SHIFT_NOT_STARTED', `Driver '${driverId}' is off shift: it has no break`);
    if (to === from) {
      // The same again: a phone that was not sure. What waits may still be for it.
      if (to === 'on_shift') await tryWaiting(tx, settings);
      return answer(200, driver);
    }
    await record(tx, settings, { driverId, by: principal.id, from, to });
    return answer(200, await setWorking(tx, driverId, { onShift: to !== 'off', onBreak: to === 'on_break' }));
  });
}

async function record(
  tx: Transaction,
  settings: Settings,
  {
    driverId,
    by,
    from,
    to,
  }: { readonly driverId: string; readonly by: string; readonly from: Working; readonly to: Working },
): Promise<void> {
  if (to === 'off') await endShifts(tx, { driverId, kinds: ['shift', 'break'], by });
  else if (to === 'on_break') await beginShift(tx, { driverId, kind: 'break', by });
  else if (from === 'on_break') await endShifts(tx, { driverId, kinds: ['break'], by });
  else await beginShift(tx, { driverId, kind: 'shift', by });
  if (to === 'on_shift') await tryWaiting(tx, settings);
  else await withdrawFrom(tx, driverId, 'off_shift');
}
