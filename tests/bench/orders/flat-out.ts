import { setTimeout as wait } from 'node:timers/promises';
import { until } from '../../support/until.ts';

/** Orders on one of the two ways, each from its booking to its driver. */
export interface Side {
  readonly book: (index: number) => Promise<unknown>;
  /** Orders so far that have a driver. */
  readonly assigned: () => Promise<number>;
  /** CPU time so far of everything that takes part but the client, in µs. */
  readonly cpuUs: () => number;
  booked: number;
}

export interface FlatOut {
  readonly perSecond: number;
  readonly cpuMsPerOrder: number;
}

const bookingsAtOnce = 32;
/** Often enough for rounds of seconds; to ask more often would take part of what is measured. */
const pollMs = 100;
export const assignMaxMs = 900_000;

/** So many orders as fast as they are taken: from the first booking until the last one has its driver. */
export async function flatOut(side: Side, count: number): Promise<FlatOut> {
  const wanted = (await side.assigned()) + count;
  const cpuBeforeUs = side.cpuUs();
  const beganMs = performance.now();
  let next = 0;
  const bookAll = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await side.book((side.booked += 1));
    }
  };
  await Promise.all(Array.from({ length: bookingsAtOnce }, bookAll));
  await until(
    'every order has a driver',
    async () => (await side.assigned()) >= wanted || (await wait(pollMs, false)),
    assignMaxMs,
  );
  const seconds = (performance.now() - beganMs) / 1000;
  return { perSecond: count / seconds, cpuMsPerOrder: (side.cpuUs() - cpuBeforeUs) / 1000 / count };
}
