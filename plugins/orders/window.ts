import { latLngToCell } from 'h3-js';
import type { Place } from './distance.ts';
import type { Refusal } from './errors.ts';
import type { Settings } from './settings.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;
export const windowLengthMaxMs = 7 * dayMs;
export const windowAheadMaxMs = 90 * dayMs;
/** A customer who takes a while to fill in the form, or whose clock is slow, still gets "now". */
export const windowPastToleranceMs = 15 * minuteMs;

export interface Window {
  readonly start: string;
  readonly end: string;
}

/** What the schema cannot say of a pickup window. */
export function checkWindow(window: Window, nowMs: number): Refusal | undefined {
  const startMs = Date.parse(window.start);
  const endMs = Date.parse(window.end);
  const refused = (detail: string): Refusal => ({ code: 'ORDER_WINDOW_INVALID', detail });
  if (!Number.isFinite(startMs) || !Number.isFinite(endMs)) {
    return refused("'pickupWindow' must have two points in time, such as 2026-05-04T09:00:00Z");
  }
  if (endMs <= startMs) return refused("'pickupWindow.end' must be after 'pickupWindow.start'");
  if (endMs - startMs > windowLengthMaxMs) return refused("'pickupWindow' must not be longer than 7 days");
  if (startMs < nowMs - windowPastToleranceMs || endMs <= nowMs) {
    return refused(
      "'pickupWindow' must not lie in the past: 'start' may be 15 minutes ago at most, 'end' must be ahead",
    );
  }
  if (startMs > nowMs + windowAheadMaxMs) return refused("'pickupWindow.start' must be within the next 90 days");
  return undefined;
}

type Grid = Pick<Settings, 'areaResolution' | 'windowMs'>;

/** The H3 cell whose pickups share their drivers' time. */
export function areaOf({ lat, lon }: Place, { areaResolution }: Grid): string {
  return latLngToCell(lat, lon, areaResolution);
}

/** The slot of the grid that a moment lies in; the grid begins with the epoch. */
export function slotOf(atMs: number, { windowMs }: Grid): number {
  return atMs - (atMs % windowMs);
}

/** Beginnings of the slots that a stretch of time touches, as ISO 8601. */
export function slotsFrom(fromMs: number, toMs: number, grid: Grid): readonly string[] {
  const firstMs = slotOf(fromMs, grid);
  const count = Math.max(0, Math.ceil((toMs - firstMs) / grid.windowMs));
  return Array.from({ length: count }, (_, index) => new Date(firstMs + index * grid.windowMs).toISOString());
}

/** Where an order takes its place: the first of these slots that has room. */
export interface PlaceWanted {
  readonly area: string;
  readonly slots: readonly string[];
  /** Of a slot for which ops has set none. */
  readonly capacityDefault: number;
}

export function placeWanted(
  { pickup, pickupWindow }: { readonly pickup: Place; readonly pickupWindow: Window },
  nowMs: number,
  settings: Settings,
): PlaceWanted {
  return {
    area: areaOf(pickup, settings),
    // Those that are over are no place.
    slots: slotsFrom(Math.max(Date.parse(pickupWindow.start), nowMs), Date.parse(pickupWindow.end), settings),
    capacityDefault: settings.windowCapacity,
  };
}
