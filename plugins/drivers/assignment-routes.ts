import { Type } from 'typebox';
import type { HttpReply, PluginContext } from '#plugin-api';
import { AssignmentPage, AssignmentStory, assignmentStatuses, OrderId, type AssignmentStatus } from './assignment.ts';
import { fromTheNewest, fromTimeCursor, toPage, toTimeCursor } from './cursor.ts';
import { DriverParams } from './driver.ts';
import { cursorInvalid, driverNotFound, refuse } from './errors.ts';
import { toEtag } from './etag.ts';
import { findAssignment, listActive, listAssignments, listSteps, toAssignment } from './store/assignments.ts';
import { findDriver } from './store/drivers.ts';

const closed = { additionalProperties: false } as const;
export const AssignmentParams = Type.Object({ orderId: OrderId }, closed);
const ListQuery = Type.Object(
  {
    status: Type.Enum([...assignmentStatuses], { description: 'waiting: without a driver yet' }),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  closed,
);

export const assignmentNotFound = (orderId: string): HttpReply =>
  refuse('ASSIGNMENT_NOT_FOUND', `No order '${orderId}' is known here that you may see`);

export function registerAssignmentRoutes(ctx: PluginContext): void {
  ctx.http.get(
    '/drivers/assignments',
    {
      summary: 'Orders by what became of the search for their driver, the newest first',
      roles: ['ops'],
      query: ListQuery,
      response: { 200: AssignmentPage },
    },
    ({ query }) => list(ctx, query),
  );

  ctx.http.get(
    '/drivers/assignments/{orderId}',
    {
      summary: "An order's driver, and who had it before",
      roles: ['ops'],
      params: AssignmentParams,
      response: { 200: AssignmentStory },
    },
    async ({ params: { orderId } }) => {
      const assignment = await findAssignment(ctx.db, orderId);
      if (assignment === undefined) return assignmentNotFound(orderId);
      return {
        status: 200,
        body: { ...toAssignment(assignment), history: await listSteps(ctx.db, orderId) },
        headers: { etag: toEtag(assignment.version) },
      };
    },
  );

  ctx.http.get(
    '/drivers/{driverId}/assignments',
    {
      summary: 'What a driver carries or goes for',
      roles: ['driver', 'ops'],
      params: DriverParams,
      response: { 200: AssignmentPage },
    },
    async ({ principal, params: { driverId } }) => {
      if (principal.role === 'driver' && principal.id !== driverId) return driverNotFound(driverId);
      if ((await findDriver(ctx.db, driverId)) === undefined) return driverNotFound(driverId);
      const assignments = (await listActive(ctx.db, driverId)).slice(0, 100).map(toAssignment);
      return { status: 200, body: { assignments, nextCursor: null } };
    },
  );
}

async function list(
  ctx: PluginContext,
  query: { readonly status: AssignmentStatus; readonly limit?: number; readonly cursor?: string },
): Promise<HttpReply> {
  const { status, limit = 20, cursor } = query;
  const before = cursor === undefined ? fromTheNewest('text') : fromTimeCursor(cursor, 'text');
  if (before === undefined) return cursorInvalid();
  const found = await listAssignments(ctx.db, { status, before, limit: limit + 1 });
  const { rows, nextCursor } = toPage(found, limit, ({ createdAt, orderId: id }) => toTimeCursor({ createdAt, id }));
  return { status: 200, body: { assignments: rows.map(toAssignment), nextCursor } };
}
