import { Type } from 'typebox';
import type { PluginContext } from '#plugin-api';
import { roles } from './audience.ts';
import { refuse } from './errors.ts';
import { toRecipient } from './facts.ts';
import { fromCursor, NotificationPage, toCursor } from './notification.ts';
import { listDeliveries, listOwn } from './store/listing.ts';

const ListQuery = Type.Object(
  {
    orderId: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  { additionalProperties: false },
);

export function registerRoutes(ctx: PluginContext): void {
  ctx.http.get(
    '/notifications',
    {
      summary: 'What the caller was told, newest first; for ops, how all messages went',
      roles: [...roles, 'ops'],
      query: ListQuery,
      response: { 200: NotificationPage },
    },
    async ({ principal, query }) => {
      const before = query.cursor === undefined ? null : fromCursor(query.cursor);
      if (before === undefined) {
        return refuse('NOTIFICATION_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
      }
      const limit = query.limit ?? 20;
      const page = { before, orderId: query.orderId ?? null, limit: limit + 1 };
      const rows =
        principal.role === 'ops'
          ? await listDeliveries(ctx.db, page)
          : await listOwn(ctx.db, toRecipient(principal), page);
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      return {
        status: 200,
        body: {
          notifications: shown.map(({ sequence: _sequence, ...notification }) => notification),
          nextCursor: rows.length > limit && last !== undefined ? toCursor(last.sequence) : null,
        },
      };
    },
  );
}
