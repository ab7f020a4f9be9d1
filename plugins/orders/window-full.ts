import type { Queryable } from '#plugin-api';
import type { Refusal } from './errors.ts';
import { listRoom } from './store/windows.ts';
import { slotsFrom, type PlaceWanted } from './window.ts';
import type { Settings } from './settings.ts';

/** Rolls back the transaction that found no place. */
export class WindowFull extends Error {
  readonly wanted: PlaceWanted;

  constructor(wanted: PlaceWanted) {
    super('There is no place in the pickup window');
    this.name = 'WindowFull';
    this.wanted = wanted;
  }
}

const nextMax = 5;
const lookedAheadMs = 14 * 86_400_000;

/** Says that a window is full, and which ones have room. */
export async function refuseFull(db: Queryable, { wanted }: WindowFull, settings: Settings): Promise<Refusal> {
  const firstMs = Date.parse(wanted.slots[0] ?? '');
  const slots = slotsFrom(firstMs, firstMs + lookedAheadMs, settings);
  const withRoom = await listRoom(db, { ...wanted, slots }, { withRoomOnly: true, limit: nextMax });
  return {
    code: 'ORDER_WINDOW_FULL',
    detail: 'All places of this pickup window are taken; there is room in those of nextWindows',
    extensions: {
      nextWindows: withRoom.map(({ start, capacity, taken }) => ({
        start,
        end: new Date(Date.parse(start) + settings.windowMs).toISOString(),
        free: capacity - taken,
      })),
    },
  };
}
