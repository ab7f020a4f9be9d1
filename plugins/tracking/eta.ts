import { Type, type Static } from 'typebox';

export const Eta = Type.Object(
  {
    seconds: Type.Integer({ minimum: 0, description: 'From when this was sent' }),
    at: Type.String({ format: 'date-time', maxLength: 40 }),
    source: Type.Enum(['estimate', 'osrm', 'arrived']),
  },
  { additionalProperties: false, description: 'When the driver is expected at the stop that is next for the order' },
);
export type Eta = Static<typeof Eta>;

/**
 * Of an estimate without a routing engine. Roads are longer than the great circle: 1.4 is about what route networks of
 * cities show. Speeds are those of a whole way with its stops, so who stands at a light is not expected next week, and
 * who is on a motorway not in a minute.
 */
export const etaRules = {
  detourFactor: 1.4,
  speedDefaultMps: 7,
  speedMinMps: 3,
  speedMaxMps: 22,
  /** Half of what is remembered of a driver's speed is this old. */
  speedHalfLifeMs: 120_000,
  /** Who has not arrived takes at least this long: to park, and to find the door. */
  secondsMin: 60,
  secondsMax: 6 * 3600,
} as const;

const clamp = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));

/** How long a way of this length in a straight line takes. */
export function estimateTravelSeconds(straightM: number, speedMps: number): number {
  const { detourFactor, speedMinMps, speedMaxMps, secondsMax } = etaRules;
  return Math.min(secondsMax, (straightM * detourFactor) / clamp(speedMps, speedMinMps, speedMaxMps));
}

export interface Arrival {
  /** When the way was begun: the time of the position. */
  readonly fromMs: number;
  readonly travelSeconds: number;
  readonly source: 'estimate' | 'osrm';
}

export function toEta({ fromMs, travelSeconds, source }: Arrival, nowMs: number): Eta {
  const { secondsMin, secondsMax } = etaRules;
  const seconds = Math.round(clamp((fromMs - nowMs) / 1000 + travelSeconds, secondsMin, secondsMax));
  return { seconds, at: new Date(nowMs + seconds * 1000).toISOString(), source };
}

/** A driver's speed as it is remembered. */
export interface Pace {
  readonly atMs: number;
  readonly speedMps: number;
}

/** What a speed that was seen adds to what is remembered; by time, so that many fixes weigh no more than few. */
export function updatePace(pace: Pace | undefined, seen: Pace): Pace {
  const { speedDefaultMps, speedMaxMps, speedHalfLifeMs } = etaRules;
  const before = pace?.speedMps ?? speedDefaultMps;
  const apartMs = pace === undefined ? speedHalfLifeMs : seen.atMs - pace.atMs;
  if (apartMs <= 0) return pace ?? seen;
  const weight = 1 - 2 ** (-apartMs / speedHalfLifeMs);
  return { atMs: seen.atMs, speedMps: before + weight * (clamp(seen.speedMps, 0, speedMaxMps) - before) };
}
