import { Type } from 'typebox';
import type { PluginContext } from '#plugin-api';
import { refuse } from './errors.ts';
import { listPresence, presences, type PresenceSettings } from './store/presence.ts';

const closed = { additionalProperties: false } as const;
const Presence = Type.Enum([...presences]);

const PresenceQuery = Type.Object(
  {
    presence: Type.Optional(Presence),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  closed,
);
const PresencePage = Type.Object(
  {
    drivers: Type.Array(
      Type.Object(
        {
          driverId: Type.String({ maxLength: 64 }),
          presence: Presence,
          recordedAt: Type.Union([Type.String({ format: 'date-time', maxLength: 40 }), Type.Null()]),
          ageSeconds: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
          orders: Type.Integer({ minimum: 0, description: 'Orders that the driver carries' }),
        },
        closed,
      ),
      { maxItems: 500 },
    ),
    nextCursor: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
  },
  closed,
);

/** Who can be reached, for ops. Not where they are: that is the history's to tell. */
export function registerPresenceRoutes(ctx: PluginContext, settings: PresenceSettings, now: () => number): void {
  ctx.http.get(
    '/tracking/drivers',
    {
      summary: 'Drivers by presence: online, stale or offline by the age of their newest fix',
      roles: ['ops'],
      query: PresenceQuery,
      response: { 200: PresencePage },
    },
    async ({ query: { presence = null, limit = 100, cursor } }) => {
      const after = cursor === undefined ? '' : fromCursor(cursor);
      if (after === undefined) {
        return refuse('PRESENCE_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
      }
      const nowMs = now();
      const rows = await listPresence(ctx.db, { settings, nowMs, presence, after, limit: limit + 1 });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        status: 200,
        body: {
          drivers: page.map(({ driverId, recordedAt, orders, ...row }) => {
            const ageMs = recordedAt === null ? null : Math.max(0, nowMs - Date.parse(recordedAt));
            const ageSeconds = ageMs === null ? null : Math.round(ageMs / 1000);
            return { driverId, presence: row.presence, recordedAt, ageSeconds, orders };
          }),
          nextCursor: rows.length > limit && last !== undefined ? toCursor(last.driverId) : null,
        },
      };
    },
  );
}

function toCursor(driverId: string): string {
  return Buffer.from(driverId).toString('base64url');
}

/** The driver that a page ended with; undefined when it is none of our cursors. */
function fromCursor(cursor: string): string | undefined {
  const driverId = Buffer.from(cursor, 'base64url').toString('utf8');
  return /^[A-Za-z0-9_-]{1,64}$/.test(driverId) ? driverId : undefined;
}
