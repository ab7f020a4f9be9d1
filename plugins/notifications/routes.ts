import { Type } from 'typebox';
import type { PluginContext } from '#plugin-api';
import { refuse } from './errors.ts';
import { fromCursor, NotificationPage, toCursor } from './notification.ts';
import { listNotifications } from './store.ts';

const ListQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  { additionalProperties: false },
);

export function registerRoutes(ctx: PluginContext): void {
  ctx.http.get(
    '/notifications',
    {
      summary: 'What the caller was told, newest first',
      roles: ['customer', 'driver'],
      query: ListQuery,
      response: { 200: NotificationPage },
    },
    async ({ principal, query }) => {
      const before = query.cursor === undefined ? null : fromCursor(query.cursor);
      if (before === undefined) {
        return refuse('NOTIFICATION_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
      }
      const limit = query.limit ?? 20;
      const role = principal.role === 'driver' ? 'driver' : 'customer';
      const rows = await listNotifications(ctx.db, { recipient: { role, id: principal.id }, before, limit: limit + 1 });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        status: 200,
        body: {
          notifications: page.map(({ sequence: _sequence, ...notification }) => notification),
          nextCursor: rows.length > limit && last !== undefined ? toCursor(last.sequence) : null,
        },
      };
    },
  );
}
