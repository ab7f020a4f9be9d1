import { Type } from 'typebox';
import type { HttpReply, PluginContext } from '#plugin-api';
import { fromCursor, instantForm, toCursor, uuidForm } from '../cursor.ts';
import { refuse } from '../errors.ts';
import { listDifferences, resolveDifference } from '../store/reconciliations.ts';
import { listRuns } from '../store/reconciliation-views.ts';

const closed = { additionalProperties: false } as const;
const id = Type.String({ maxLength: 200 });
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const nullable = <T extends typeof id>(schema: T) => Type.Union([schema, Type.Null()]);

const RunList = Type.Object(
  {
    reconciliations: Type.Array(
      Type.Object(
        {
          runId: id,
          provider: id,
          from: instant,
          to: instant,
          state: Type.Enum(['listing', 'searching', 'done']),
          compared: Type.Integer({ minimum: 0 }),
          differences: Type.Integer({ minimum: 0, description: 'Found first by this run' }),
          startedAt: instant,
          finishedAt: nullable(instant),
        },
        closed,
      ),
      { maxItems: 100 },
    ),
    nextCursor: Type.Null(),
  },
  closed,
);
const Difference = Type.Object(
  {
    differenceId: id,
    runId: id,
    provider: id,
    reference: id,
    kind: Type.Enum(['missing_here', 'missing_there', 'other_amount', 'other_state']),
    paymentId: nullable(id),
    orderId: nullable(id),
    here: nullable(id),
    there: nullable(id),
    foundAt: instant,
    seenAt: instant,
    resolvedAt: nullable(instant),
  },
  closed,
);
const DifferencePage = Type.Object(
  { differences: Type.Array(Difference, { maxItems: 100 }), nextCursor: nullable(id) },
  closed,
);
const DifferenceQuery = Type.Object(
  {
    state: Type.Optional(Type.Enum(['open', 'all'])),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    cursor: Type.Optional(Type.String({ maxLength: 200 })),
  },
  closed,
);

export function registerReconciliationRoutes(ctx: PluginContext): void {
  ctx.http.get(
    '/payments/reconciliations',
    { summary: 'The newest reconciliations with the providers', roles: ['ops'], response: { 200: RunList } },
    async () => ({ status: 200, body: { reconciliations: await listRuns(ctx.db), nextCursor: null } }),
  );

  ctx.http.get(
    '/payments/differences',
    {
      summary: 'Where the provider says something else, newest first; the open ones unless asked otherwise',
      roles: ['ops'],
      query: DifferenceQuery,
      response: { 200: DifferencePage },
    },
    ({ query }) => list(ctx, query),
  );

  ctx.http.post(
    '/payments/differences/{differenceId}/resolve',
    {
      summary: 'Notes that a difference has been dealt with',
      roles: ['ops'],
      params: Type.Object({ differenceId: Type.String({ format: 'uuid' }) }, closed),
      response: { 200: Difference },
    },
    async ({ params }) => {
      const difference = await resolveDifference(ctx.db, params.differenceId);
      if (difference !== undefined) return { status: 200, body: difference };
      return refuse('PAYMENT_DIFFERENCE_NOT_FOUND', `There is no difference '${params.differenceId}'`);
    },
  );
}

async function list(
  ctx: PluginContext,
  query: { readonly state?: string; readonly limit?: number; readonly cursor?: string },
): Promise<HttpReply> {
  const cursor = query.cursor === undefined ? [] : fromCursor(query.cursor, [instantForm, uuidForm]);
  if (cursor === undefined)
    return refuse('PAYMENT_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
  const [foundAt, differenceId] = cursor;
  const before = foundAt === undefined || differenceId === undefined ? null : { foundAt, differenceId };
  const limit = query.limit ?? 20;
  const rows = await listDifferences(ctx.db, { isOpen: query.state !== 'all', before, limit: limit + 1 });
  const differences = rows.slice(0, limit);
  const last = differences.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? toCursor([last.foundAt, last.differenceId]) : null;
  return { status: 200, body: { differences, nextCursor } };
}
