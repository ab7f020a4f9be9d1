import type { PluginContext } from '#plugin-api';
import { createBoundedMap } from './bounded-map.ts';
import { distanceM } from './distance.ts';
import { etaRules, updatePace, type Pace } from './eta.ts';
import { listEarlierPlaces, type EarlierPlace } from './store/pace.ts';
import type { StoredPosition } from './visibility.ts';

export interface Located {
  readonly driverId: string;
  readonly position: StoredPosition;
}

/** How fast drivers are, on the whole. */
export interface Paces {
  /** Goes on with what is remembered of the driver. */
  observe(located: Located): void;
  /** Looks up in the history what is not remembered here: after a start, or since other nodes take the fixes. */
  recall(located: readonly Located[]): Promise<void>;
  speedMps(driverId: string): number;
}

interface Seen extends Pace {
  readonly position: StoredPosition;
}

/** What is older is left, and read anew: others may have seen the driver since. */
const ageMaxMs = 60_000;

/** A memory of each node, which begins with what all nodes have stored: so they answer alike. */
export function createPaces(ctx: Pick<PluginContext, 'db'>, driversMax: number): Paces {
  const seen = createBoundedMap<Seen>(driversMax);

  function remembered({ driverId, position }: Located): Seen | undefined {
    const pace = seen.get(driverId);
    const isRecent = pace !== undefined && Math.abs(Date.parse(position.recordedAt) - pace.atMs) <= ageMaxMs;
    return isRecent ? pace : undefined;
  }

  return {
    observe(located) {
      const { driverId, position } = located;
      const before = remembered(located);
      if (before === undefined) return;
      const atMs = Date.parse(position.recordedAt);
      if (atMs <= before.atMs) return;
      const speedMps = (distanceM(before.position, position) / (atMs - before.atMs)) * 1000;
      seen.set(driverId, { ...updatePace(before, { atMs, speedMps }), position });
    },
    async recall(located) {
      const unknown = new Map(
        located.filter((one) => remembered(one) === undefined).map((one) => [one.driverId, one.position]),
      );
      if (unknown.size === 0) return;
      const asked = [...unknown].map(([driverId, { recordedAt }]) => ({ driverId, at: recordedAt }));
      const earlier = await listEarlierPlaces(ctx.db, asked);
      for (const [driverId, position] of unknown) {
        seen.set(driverId, { ...begin(position, earlier.get(driverId)), position });
      }
    },
    speedMps: (driverId) => seen.get(driverId)?.speedMps ?? etaRules.speedDefaultMps,
  };
}

/** From where the driver was some minutes ago; or what the device says, of who was not heard of then. */
function begin(position: StoredPosition, earlier: EarlierPlace | undefined): Pace {
  const { speedDefaultMps } = etaRules;
  const atMs = Date.parse(position.recordedAt);
  if (earlier === undefined) return updatePace(undefined, { atMs, speedMps: position.speedMps ?? speedDefaultMps });
  const earlierMs = Date.parse(earlier.recordedAt);
  const speedMps = (distanceM(earlier, position) / (atMs - earlierMs)) * 1000;
  return updatePace({ atMs: earlierMs, speedMps: speedDefaultMps }, { atMs, speedMps });
}
