/** What an operator may change, by the variable that says so; the README lists them with their meaning. */
export const settingDefaults = {
  TRACKING_FUTURE_TOLERANCE_SECONDS: { fallback: 300, min: 0, max: 86_400 },
  TRACKING_RETENTION_DAYS: { fallback: 30, min: 1, max: 3650 },
  TRACKING_ACCURACY_MAX_M: { fallback: 200, min: 1, max: 100_000 },
  TRACKING_SPEED_MAX_MPS: { fallback: 100, min: 1, max: 1000 },
  TRACKING_DEVICE_FIXES_PER_SECOND: { fallback: 100, min: 0, max: 1_000_000 },
  TRACKING_DEVICE_FIXES_BURST: { fallback: 50_000, min: 1, max: 10_000_000 },
  TRACKING_DEVICES_MAX: { fallback: 10_000, min: 1, max: 1_000_000 },
  TRACKING_DRIVER_CACHE_SECONDS: { fallback: 10, min: 0, max: 3600 },
} as const satisfies Readonly<
  Record<string, { readonly fallback: number; readonly min: number; readonly max: number }>
>;

export interface Settings {
  /** Phones' clocks go wrong by a little; what is further ahead would hide the true positions until then. */
  readonly futureToleranceMs: number;
  /** A fix older than what is kept is not taken. */
  readonly retentionMs: number;
  /** A fix known worse than this is kept, and moves nothing. */
  readonly accuracyMaxM: number;
  /** Above it a way between two fixes is flagged: no road vehicle and no train is as fast. */
  readonly speedMaxMps: number;
  /** What a device may send for ever; 0 is without limit. */
  readonly deviceFixesPerSecond: number;
  /** What a device may send at once: a phone that was without a network for half a day sends it all. */
  readonly deviceFixesBurst: number;
  /** Devices of which something is remembered; the ones not heard of for longest are forgotten. */
  readonly devicesMax: number;
  /** How long an answer of the drivers' plugin is used. */
  readonly driverCacheMs: number;
}

const dayMs = 86_400_000;

/**
 * @throws {RangeError} that says what a variable is and what it must be: the plugin does not start
 */
export function readSettings(environment: Readonly<Record<string, string>>): Settings {
  const read = (variable: keyof typeof settingDefaults): number => readWhole(variable, environment[variable]);
  return {
    futureToleranceMs: read('TRACKING_FUTURE_TOLERANCE_SECONDS') * 1000,
    retentionMs: read('TRACKING_RETENTION_DAYS') * dayMs,
    accuracyMaxM: read('TRACKING_ACCURACY_MAX_M'),
    speedMaxMps: read('TRACKING_SPEED_MAX_MPS'),
    deviceFixesPerSecond: read('TRACKING_DEVICE_FIXES_PER_SECOND'),
    deviceFixesBurst: read('TRACKING_DEVICE_FIXES_BURST'),
    devicesMax: read('TRACKING_DEVICES_MAX'),
    driverCacheMs: read('TRACKING_DRIVER_CACHE_SECONDS') * 1000,
  };
}

function readWhole(variable: keyof typeof settingDefaults, text: string | undefined): number {
  const { fallback, min, max } = settingDefaults[variable];
  if (text === undefined || text === '') return fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new RangeError(`${variable} must be a whole number from ${min} to ${max}: it is "${text}"`);
}
