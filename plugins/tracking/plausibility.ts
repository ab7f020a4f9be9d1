import { createBoundedMap } from './bounded-map.ts';
import { distanceM } from './distance.ts';
import type { Fix } from './fix.ts';

/** Where a device was known to be. */
export interface Sighting {
  readonly timeMs: number;
  readonly lat: number;
  readonly lon: number;
  readonly accuracyM: number | null;
}

export interface PlausibilityOptions {
  readonly speedMaxMps: number;
  readonly devicesMax: number;
}

export interface Plausibility {
  /** The drivers of devices of which nothing is remembered: their newest positions are worth a look. */
  unknownDrivers(fixes: readonly Fix[]): readonly string[];
  /** Flags the fixes that their device cannot have reached, in the order that they came in. */
  flag(fixes: readonly Fix[], known: ReadonlyMap<string, Sighting>): readonly Fix[];
}

/** Unknown accuracy counts as that of a poor fix between houses. */
const assumedAccuracyM = 50;
/** Two fixes of one moment differ by what the receiver's filter does, not by driving. */
const shortestSeconds = 1;
/** So many fixes in a row that agree with each other and not with the place before: then that one was wrong. */
const agreeingMax = 3;

interface DeviceState {
  /** The newest place that is believed; undefined when there is none yet. */
  believed: Sighting | undefined;
  /** The newest place that is not, and how many in a row agree with it. */
  doubted: { readonly sighting: Sighting; readonly agreeing: number } | undefined;
}

/** The name of a device in all maps: neither part holds a slash. */
export const toDeviceKey = ({ driverId, device }: Pick<Fix, 'driverId' | 'device'>): string => `${driverId}/${device}`;

/**
 * Compares each fix with the newest believed one of its device, and within a batch in the order of fix times. What is
 * remembered may lag behind what other nodes have stored: an older place allows more, so it never flags a true fix.
 */
export function createPlausibility({ speedMaxMps, devicesMax }: PlausibilityOptions): Plausibility {
  const devices = createBoundedMap<DeviceState>(devicesMax);

  function isReachable(from: Sighting, to: Sighting): boolean {
    const seconds = Math.max(shortestSeconds, Math.abs(to.timeMs - from.timeMs) / 1000);
    const uncertainM = (from.accuracyM ?? assumedAccuracyM) + (to.accuracyM ?? assumedAccuracyM);
    return distanceM(from, to) - uncertainM <= seconds * speedMaxMps;
  }

  function isPlausible(state: DeviceState, sighting: Sighting): boolean {
    const { believed, doubted } = state;
    if (believed === undefined || isReachable(believed, sighting)) {
      if (believed === undefined || sighting.timeMs >= believed.timeMs) {
        state.believed = sighting;
        state.doubted = undefined;
      }
      return true;
    }
    // A batch that comes again brings the same fix, which is no second witness.
    if (doubted !== undefined && isSame(doubted.sighting, sighting)) return false;
    const agreeing = doubted !== undefined && isReachable(doubted.sighting, sighting) ? doubted.agreeing + 1 : 1;
    if (agreeing < agreeingMax || sighting.timeMs < believed.timeMs) {
      state.doubted = { sighting, agreeing };
      return false;
    }
    state.believed = sighting;
    state.doubted = undefined;
    return true;
  }

  return {
    unknownDrivers(fixes) {
      const unknown = fixes.filter((fix) => devices.get(toDeviceKey(fix)) === undefined);
      return [...new Set(unknown.map(({ driverId }) => driverId))];
    },
    flag(fixes, known) {
      const flagged = new Set<Fix>();
      for (const fix of fixes.toSorted((a, b) => (a.recordedAt < b.recordedAt ? -1 : 1))) {
        // How far off it is says nothing of where the device was: such a fix neither doubts nor proves.
        if (fix.flags.includes('inaccurate')) continue;
        const key = toDeviceKey(fix);
        const state = devices.get(key) ?? { believed: known.get(key), doubted: undefined };
        if (!isPlausible(state, toSighting(fix))) flagged.add(fix);
        devices.set(key, state);
      }
      return fixes.map((fix) => (flagged.has(fix) ? { ...fix, flags: [...fix.flags, 'impossible_speed'] } : fix));
    },
  };
}

function toSighting({ recordedAt, lat, lon, accuracyM }: Fix): Sighting {
  return { timeMs: Date.parse(recordedAt), lat, lon, accuracyM };
}

const isSame = (a: Sighting, b: Sighting): boolean => a.timeMs === b.timeMs && a.lat === b.lat && a.lon === b.lon;
