import { until } from '../until.ts';

/** Longer than the longest back-off of a failed batch, of a connection and of Postgres together, on a machine that is busy. */
const recoveryMaxMs = 150_000;

export function untilRecovered(what: string, ask: () => boolean | Promise<boolean>): Promise<true> {
  return until<true>(what, async () => (await ask()) || undefined, recoveryMaxMs);
}
