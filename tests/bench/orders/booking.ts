import { bookingAt } from '../../support/journey.ts';

/** Where the drivers of the benchmark wait. */
export const depot = { lat: 48.1276, lon: 11.5755 };

/** A booking near the depot, each elsewhere. */
export function bookingNear(index: number): Record<string, unknown> {
  const place = { lat: depot.lat + (index % 97) * 0.0004, lon: depot.lon + (index % 89) * 0.0006 };
  return bookingAt(place);
}
