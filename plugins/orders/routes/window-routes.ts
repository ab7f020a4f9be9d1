import { Type } from 'typebox';
import { isValidCell, getResolution } from 'h3-js';
import type { HttpReply } from '#plugin-api';
import { refuse } from '../errors.ts';
import { expectedVersion, toETag } from '../etag.ts';
import { lat, lon } from '../order.ts';
import { listRoom, setCapacity, type WindowRoom as Room } from '../store/windows.ts';
import { closed, instant } from '../text-schemas.ts';
import { areaOf, slotOf, slotsFrom, windowAheadMaxMs } from '../window.ts';
import type { RouteDeps } from './parts.ts';

const WindowsQuery = Type.Object(
  {
    lat,
    lon,
    from: Type.Optional({ ...instant, description: 'Now unless given' }),
    to: Type.Optional({ ...instant, description: 'A day later unless given; 14 days at most' }),
  },
  closed,
);

const area = Type.String({
  pattern: '^[0-9a-f]{15,16}$',
  description: 'An H3 cell, as GET /orders/windows tells it',
  // Of the documentation's examples: around the Empire State Building, in the size that areas have unless set otherwise.
  examples: ['862a100d7ffffff'],
});

const WindowRoom = Type.Object(
  {
    start: instant,
    end: instant,
    capacity: Type.Integer({ minimum: 0 }),
    free: Type.Integer({ minimum: 0 }),
    version: Type.Integer({ minimum: 1, description: 'Of the capacity: what If-Match is compared with' }),
  },
  closed,
);

const windowsMax = 1400;
const Windows = Type.Object({ area, windows: Type.Array(WindowRoom, { maxItems: windowsMax }) }, closed);

const NewCapacity = Type.Object(
  {
    area,
    start: { ...instant, description: 'When a window of GET /orders/windows begins' },
    capacity: Type.Union([Type.Integer({ minimum: 0, maximum: 1_000_000 }), Type.Null()], {
      description: 'null: the default. Who has a place keeps it',
    }),
  },
  closed,
);

const dayMs = 86_400_000;
const rangeMaxMs = 14 * dayMs;

export function registerWindowRoutes({ ctx, settings, now }: RouteDeps): void {
  const { windowMs, windowCapacity } = settings;
  const toWindow = ({ start, capacity, taken, version }: Room) => ({
    start,
    end: new Date(Date.parse(start) + windowMs).toISOString(),
    capacity,
    free: Math.max(0, capacity - taken),
    version,
  });

  ctx.http.get(
    '/orders/windows',
    {
      summary: 'Pickup windows at a place, and how many places each has left',
      roles: ['customer', 'partner', 'ops'],
      query: WindowsQuery,
      response: { 200: Windows },
    },
    async ({ query }): Promise<HttpReply> => {
      const fromMs = query.from === undefined ? now() : Date.parse(query.from);
      const toMs = query.to === undefined ? fromMs + dayMs : Date.parse(query.to);
      if (!(toMs > fromMs && toMs - fromMs <= rangeMaxMs && fromMs >= 0 && toMs <= now() + 2 * windowAheadMaxMs)) {
        return refuse(
          'ORDER_RANGE_INVALID',
          "'to' must be after 'from', by 14 days at most, and not be in a far future",
        );
      }
      const wanted = {
        area: areaOf(query, settings),
        slots: slotsFrom(fromMs, toMs, settings),
        capacityDefault: windowCapacity,
      };
      const room = await listRoom(ctx.db, wanted, { withRoomOnly: false, limit: windowsMax });
      return { status: 200, body: { area: wanted.area, windows: room.map(toWindow) } };
    },
  );

  ctx.http.put(
    '/orders/windows',
    {
      summary: 'Sets how many places an area has in a pickup window',
      roles: ['ops'],
      body: NewCapacity,
      response: { 200: WindowRoom },
      ifMatch: true,
    },
    async ({ body, headers }): Promise<HttpReply> => {
      const startMs = Date.parse(body.start);
      if (Number.isNaN(startMs) || slotOf(startMs, settings) !== startMs) {
        return refuse('ORDER_WINDOW_INVALID', "'start' must be when a window of GET /orders/windows begins");
      }
      if (!isValidCell(body.area) || getResolution(body.area) !== settings.areaResolution) {
        return refuse('ORDER_WINDOW_INVALID', "'area' must be one that GET /orders/windows tells");
      }
      const start = new Date(startMs).toISOString();
      const set = await setCapacity(ctx.db, { ...body, start, expectedVersion: expectedVersion(headers) ?? null });
      if (set === undefined) return refuse('ORDER_WINDOW_CHANGED', 'Somebody else has set it: read it, then decide');
      const capacity = body.capacity ?? windowCapacity;
      return { status: 200, body: toWindow({ ...set, start, capacity }), headers: { etag: toETag(set.version) } };
    },
  );
}
