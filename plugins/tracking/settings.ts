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
  TRACKING_ONLINE_SECONDS: { fallback: 120, min: 5, max: 86_400 },
  TRACKING_OFFLINE_SECONDS: { fallback: 900, min: 10, max: 604_800 },
  TRACKING_ARRIVE_M: { fallback: 100, min: 20, max: 5000 },
  TRACKING_DEPART_M: { fallback: 200, min: 40, max: 10_000 },
  TRACKING_DWELL_SECONDS: { fallback: 20, min: 1, max: 600 },
  TRACKING_HISTORY_FIXES_MAX: { fallback: 100_000, min: 1000, max: 500_000 },
  TRACKING_HISTORY_RANGE_DAYS: { fallback: 31, min: 1, max: 366 },
  TRACKING_HISTORY_EXPORTS_MAX: { fallback: 8, min: 1, max: 64 },
  TRACKING_DEAD_LETTERS_MAX: { fallback: 10_000, min: 1, max: 100_000 },
  TRACKING_DEAD_LETTERS_MAX_BYTES: { fallback: 16_777_216, min: 65_536, max: 1_073_741_824 },
  TRACKING_DEAD_LETTER_PAYLOAD_MAX_BYTES: { fallback: 8192, min: 64, max: 32_768 },
  TRACKING_ROUTE_TIMEOUT_MS: { fallback: 1500, min: 50, max: 8000 },
  TRACKING_ROUTE_CACHE_SECONDS: { fallback: 30, min: 1, max: 600 },
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
  /** A driver whose newest fix is younger is online. */
  readonly onlineSeconds: number;
  /** A driver whose newest fix is older is offline. */
  readonly offlineSeconds: number;
  /** Who is surely nearer to a stop has arrived. */
  readonly arriveM: number;
  /** Who is surely further away has departed. */
  readonly departM: number;
  /** How far apart the fixes are that confirm an arrival or a departure: who drives past does not arrive. */
  readonly dwellMs: number;
  /** Fixes that are read for one answer: a day at 1 Hz, and some. */
  readonly historyFixesMax: number;
  readonly historyRangeMs: number;
  /** Answers of more fixes than a page at the same time: each keeps 40 bytes a fix until its client has it. */
  readonly historyExportsMax: number;
  readonly deadLettersMax: number;
  /** Of all dead letters together. */
  readonly deadLettersMaxBytes: number;
  /** What is kept of one payload. */
  readonly deadLetterPayloadMaxBytes: number;
  /** OSRM's HTTP API; null: times of arrival are estimated. */
  readonly osrmUrl: URL | null;
  readonly routeTimeoutMs: number;
  /** How long the answer of a routing engine is used without asking again. */
  readonly routeCacheMs: number;
}

const dayMs = 86_400_000;

/**
 * @throws {RangeError} that says what a variable is and what it must be: the plugin does not start
 */
export function readSettings(environment: Readonly<Record<string, string>>): Settings {
  const read = (variable: Variable): number => readWhole(variable, environment[variable]);
  assertAbove('TRACKING_OFFLINE_SECONDS', 'TRACKING_ONLINE_SECONDS', read);
  assertAbove('TRACKING_DEPART_M', 'TRACKING_ARRIVE_M', read);
  return {
    futureToleranceMs: read('TRACKING_FUTURE_TOLERANCE_SECONDS') * 1000,
    retentionMs: read('TRACKING_RETENTION_DAYS') * dayMs,
    accuracyMaxM: read('TRACKING_ACCURACY_MAX_M'),
    speedMaxMps: read('TRACKING_SPEED_MAX_MPS'),
    deviceFixesPerSecond: read('TRACKING_DEVICE_FIXES_PER_SECOND'),
    deviceFixesBurst: read('TRACKING_DEVICE_FIXES_BURST'),
    devicesMax: read('TRACKING_DEVICES_MAX'),
    driverCacheMs: read('TRACKING_DRIVER_CACHE_SECONDS') * 1000,
    onlineSeconds: read('TRACKING_ONLINE_SECONDS'),
    offlineSeconds: read('TRACKING_OFFLINE_SECONDS'),
    arriveM: read('TRACKING_ARRIVE_M'),
    departM: read('TRACKING_DEPART_M'),
    dwellMs: read('TRACKING_DWELL_SECONDS') * 1000,
    historyFixesMax: read('TRACKING_HISTORY_FIXES_MAX'),
    historyRangeMs: read('TRACKING_HISTORY_RANGE_DAYS') * dayMs,
    historyExportsMax: read('TRACKING_HISTORY_EXPORTS_MAX'),
    deadLettersMax: read('TRACKING_DEAD_LETTERS_MAX'),
    deadLettersMaxBytes: read('TRACKING_DEAD_LETTERS_MAX_BYTES'),
    deadLetterPayloadMaxBytes: read('TRACKING_DEAD_LETTER_PAYLOAD_MAX_BYTES'),
    osrmUrl: readUrl('TRACKING_OSRM_URL', environment['TRACKING_OSRM_URL']),
    routeTimeoutMs: read('TRACKING_ROUTE_TIMEOUT_MS'),
    routeCacheMs: read('TRACKING_ROUTE_CACHE_SECONDS') * 1000,
  };
}

function readUrl(variable: string, text: string | undefined): URL | null {
  if (text === undefined || text === '') return null;
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url;
  // Not the value: it may hold a password.
  throw new RangeError(`${variable} must be a URL that begins with http:// or https:// and has no user and password`);
}

type Variable = keyof typeof settingDefaults;

function assertAbove(above: Variable, below: Variable, read: (variable: Variable) => number): void {
  if (read(above) > read(below)) return;
  throw new RangeError(`${above} must be above ${below}: it is ${read(above)}, the other is ${read(below)}`);
}

function readWhole(variable: Variable, text: string | undefined): number {
  const { fallback, min, max } = settingDefaults[variable];
  if (text === undefined || text === '') return fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new RangeError(`${variable} must be a whole number from ${min} to ${max}: it is "${text}"`);
}
