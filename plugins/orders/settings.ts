/** What an operator may change, by the variable that says so; the README lists them with their meaning. */
export const settingDefaults = {
  ORDERS_PICKUP_ATTEMPTS_MAX: { fallback: 3, min: 1, max: 20 },
  ORDERS_ABANDON_HOURS: { fallback: 72, min: 1, max: 8760 },
  ORDERS_AREA_RESOLUTION: { fallback: 6, min: 0, max: 10 },
  ORDERS_WINDOW_MINUTES: { fallback: 120, min: 15, max: 1440 },
  ORDERS_WINDOW_CAPACITY: { fallback: 500, min: 0, max: 1_000_000 },
  ORDERS_QUOTE_MINUTES: { fallback: 15, min: 1, max: 1440 },
  ORDERS_DOCUMENT_MAX_BYTES: { fallback: 5_242_880, min: 1024, max: 67_108_864 },
  ORDERS_DOCUMENTS_MAX: { fallback: 10, min: 1, max: 100 },
  ORDERS_DOCUMENTS_MAX_BYTES: { fallback: 20_971_520, min: 1024, max: 1_073_741_824 },
  ORDERS_PROOF_FILE_MAX_BYTES: { fallback: 8_388_608, min: 1024, max: 67_108_864 },
  ORDERS_PROOF_FILES_MAX: { fallback: 8, min: 1, max: 100 },
  ORDERS_PROOF_PHOTO_PIXELS_MIN: { fallback: 300_000, min: 1, max: 100_000_000 },
  ORDERS_PROOF_RECORDS_MAX: { fallback: 50, min: 1, max: 500 },
  ORDERS_BULKS_MAX: { fallback: 2, min: 1, max: 16 },
  ORDERS_BULK_BATCH_MAX: { fallback: 25, min: 1, max: 100 },
} as const satisfies Readonly<
  Record<string, { readonly fallback: number; readonly min: number; readonly max: number }>
>;

const minuteMs = 60_000;

export interface Settings {
  /** How often a pickup is tried before the order can only be cancelled. */
  readonly pickupAttemptsMax: number;
  /** How long an order whose pickup failed waits for a new time. */
  readonly abandonMs: number;
  /** Of the H3 cells that share their capacity: 6 is some 36 km². */
  readonly areaResolution: number;
  /** Length of the slots in which places are counted. */
  readonly windowMs: number;
  /** Places in an area and slot for which ops has set no other number. */
  readonly windowCapacity: number;
  /** How long a quoted price is held. */
  readonly quoteMs: number;
  /** Of one label or QR code. */
  readonly documentMaxBytes: number;
  /** Labels and QR codes of an order. */
  readonly documentsMax: number;
  readonly documentsMaxBytes: number;
  /** Of one photo or signature. */
  readonly proofFileMaxBytes: number;
  /** Photos and signatures of a stop, in one try. */
  readonly proofFilesMax: number;
  /** A photo with fewer shows nothing that anybody could recognise. */
  readonly photoPixelsMin: number;
  /** What may be said of a stop beside photos and signatures. */
  readonly proofRecordsMax: number;
  /** Bodies of many orders that one process books at the same time: each holds a connection. */
  readonly bulksMax: number;
  /** Orders that are booked in one transaction: meanwhile others wait for places in the same windows. */
  readonly bulkBatchMax: number;
}

/**
 * @throws {RangeError} that says what a variable is and what it must be: the plugin does not start
 */
export function readSettings(environment: Readonly<Record<string, string>>): Settings {
  const read = (variable: Variable): number => readWhole(variable, environment[variable]);
  return {
    pickupAttemptsMax: read('ORDERS_PICKUP_ATTEMPTS_MAX'),
    abandonMs: read('ORDERS_ABANDON_HOURS') * 60 * minuteMs,
    areaResolution: read('ORDERS_AREA_RESOLUTION'),
    windowMs: read('ORDERS_WINDOW_MINUTES') * minuteMs,
    windowCapacity: read('ORDERS_WINDOW_CAPACITY'),
    quoteMs: read('ORDERS_QUOTE_MINUTES') * minuteMs,
    documentMaxBytes: read('ORDERS_DOCUMENT_MAX_BYTES'),
    documentsMax: read('ORDERS_DOCUMENTS_MAX'),
    documentsMaxBytes: read('ORDERS_DOCUMENTS_MAX_BYTES'),
    proofFileMaxBytes: read('ORDERS_PROOF_FILE_MAX_BYTES'),
    proofFilesMax: read('ORDERS_PROOF_FILES_MAX'),
    photoPixelsMin: read('ORDERS_PROOF_PHOTO_PIXELS_MIN'),
    proofRecordsMax: read('ORDERS_PROOF_RECORDS_MAX'),
    bulksMax: read('ORDERS_BULKS_MAX'),
    bulkBatchMax: read('ORDERS_BULK_BATCH_MAX'),
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
