import { documentKinds, type DocumentKind } from './document.ts';

/** What an operator may change, by the variable that says so; the README lists them with their meaning. */
export const settingDefaults = {
  DRIVERS_OFFERS_AT_ONCE: { fallback: 1, min: 1, max: 500 },
  DRIVERS_OFFER_SECONDS: { fallback: 30, min: 1, max: 3600 },
  DRIVERS_OPEN_OFFERS_MAX: { fallback: 3, min: 1, max: 50 },
  DRIVERS_REOFFER_SECONDS: { fallback: 300, min: 0, max: 86_400 },
  DRIVERS_POSITION_AGE_SECONDS: { fallback: 300, min: 5, max: 86_400 },
  DRIVERS_SILENT_SECONDS: { fallback: 900, min: 30, max: 86_400 },
  DRIVERS_DISTANCE_MAX_M: { fallback: 100_000, min: 100, max: 1_000_000 },
  DRIVERS_CANDIDATES_MAX: { fallback: 20, min: 1, max: 500 },
  DRIVERS_ORDERS_MAX: { fallback: 5, min: 1, max: 100 },
  DRIVERS_PARCEL_VOLUME_L: { fallback: 20, min: 1, max: 1000 },
  DRIVERS_WEIGHT_DISTANCE: { fallback: 100, min: 0, max: 10_000 },
  DRIVERS_WEIGHT_LOAD: { fallback: 20, min: 0, max: 10_000 },
  DRIVERS_WEIGHT_FAIRNESS: { fallback: 20, min: 0, max: 10_000 },
  DRIVERS_FAIRNESS_SECONDS: { fallback: 3600, min: 60, max: 86_400 },
  DRIVERS_INDEX_MS: { fallback: 1000, min: 0, max: 60_000 },
  DRIVERS_STOP_SECONDS: { fallback: 180, min: 0, max: 3600 },
  DRIVERS_VROOM_TIMEOUT_MS: { fallback: 2000, min: 50, max: 8000 },
  DRIVERS_DOCUMENT_WARNING_DAYS: { fallback: 30, min: 1, max: 365 },
  DRIVERS_HISTORY_DAYS: { fallback: 90, min: 7, max: 3650 },
} as const satisfies Readonly<
  Record<string, { readonly fallback: number; readonly min: number; readonly max: number }>
>;

export interface Settings {
  /** Drivers who are asked for the same order at the same time. */
  readonly offersAtOnce: number;
  readonly offerSeconds: number;
  /** Offers that one driver has before it at the same time. */
  readonly openOffersMax: number;
  /** A driver who let an offer pass is asked again for the same order after this. */
  readonly reofferSeconds: number;
  /** An older position says too little of where the driver is. */
  readonly positionAgeMaxSeconds: number;
  /** A driver silent for longer loses what it has not picked up. */
  readonly silentSeconds: number;
  readonly distanceMaxM: number;
  /** Nearest drivers that are ranked for one order. */
  readonly candidatesMax: number;
  /** Orders that one driver carries or goes for at the same time. */
  readonly ordersMax: number;
  /** Of a parcel whose size nobody told. */
  readonly parcelVolumeL: number;
  readonly weights: RankingWeights;
  /** How long the picture of free drivers is used before it is loaded anew. */
  readonly indexMs: number;
  /** What a stop takes, once the driver is there. */
  readonly stopSeconds: number;
  /** VROOM's HTTP API; null: routes are planned here. */
  readonly vroomUrl: URL | null;
  readonly vroomTimeoutMs: number;
  readonly documentsRequired: readonly DocumentKind[];
  readonly documentWarningDays: number;
  /** How long offers and steps of orders that are over are kept, and shifts. */
  readonly historyDays: number;
}

/** Parts of a hundred: what 5 km, a full vehicle and an offer just now weigh against each other. */
export interface RankingWeights {
  readonly distance: number;
  readonly load: number;
  readonly fairness: number;
  /** A driver not asked for so long has waited enough: longer counts no more. */
  readonly fairnessSeconds: number;
}

/**
 * @throws {RangeError} that says what a variable is and what it must be: the plugin does not start
 */
export function readSettings(environment: Readonly<Record<string, string>>): Settings {
  const read = (variable: Variable): number => readWhole(variable, environment[variable]);
  return {
    offersAtOnce: read('DRIVERS_OFFERS_AT_ONCE'),
    offerSeconds: read('DRIVERS_OFFER_SECONDS'),
    openOffersMax: read('DRIVERS_OPEN_OFFERS_MAX'),
    reofferSeconds: read('DRIVERS_REOFFER_SECONDS'),
    positionAgeMaxSeconds: read('DRIVERS_POSITION_AGE_SECONDS'),
    silentSeconds: read('DRIVERS_SILENT_SECONDS'),
    distanceMaxM: read('DRIVERS_DISTANCE_MAX_M'),
    candidatesMax: read('DRIVERS_CANDIDATES_MAX'),
    ordersMax: read('DRIVERS_ORDERS_MAX'),
    parcelVolumeL: read('DRIVERS_PARCEL_VOLUME_L'),
    weights: {
      distance: read('DRIVERS_WEIGHT_DISTANCE'),
      load: read('DRIVERS_WEIGHT_LOAD'),
      fairness: read('DRIVERS_WEIGHT_FAIRNESS'),
      fairnessSeconds: read('DRIVERS_FAIRNESS_SECONDS'),
    },
    indexMs: read('DRIVERS_INDEX_MS'),
    stopSeconds: read('DRIVERS_STOP_SECONDS'),
    vroomUrl: readUrl('DRIVERS_VROOM_URL', environment['DRIVERS_VROOM_URL']),
    vroomTimeoutMs: read('DRIVERS_VROOM_TIMEOUT_MS'),
    documentsRequired: readKinds('DRIVERS_DOCUMENTS_REQUIRED', environment['DRIVERS_DOCUMENTS_REQUIRED']),
    documentWarningDays: read('DRIVERS_DOCUMENT_WARNING_DAYS'),
    historyDays: read('DRIVERS_HISTORY_DAYS'),
  };
}

type Variable = keyof typeof settingDefaults;

function readWhole(variable: Variable, text: string | undefined): number {
  const { fallback, min, max } = settingDefaults[variable];
  if (text === undefined || text === '') return fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new RangeError(`${variable} must be a whole number from ${min} to ${max}: it is "${text}"`);
}

function readUrl(variable: string, text: string | undefined): URL | null {
  if (text === undefined || text === '') return null;
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url;
  // Not the value: it may hold a password.
  throw new RangeError(`${variable} must be a URL that begins with http:// or https:// and has no user and password`);
}

function readKinds(variable: string, text: string | undefined): readonly DocumentKind[] {
  const names = (text ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  for (const name of names) {
    if (!documentKinds.includes(name as DocumentKind)) {
      throw new RangeError(`${variable} must be a list of ${documentKinds.join(', ')}: it has "${name}"`);
    }
  }
  return names as readonly DocumentKind[];
}
