/** What an operator may change, by the variable that says so; the README lists them with their meaning. */
export const settingDefaults = {
  ORDERS_PICKUP_ATTEMPTS_MAX: { fallback: 3, min: 1, max: 20 },
  ORDERS_AREA_RESOLUTION: { fallback: 6, min: 0, max: 10 },
  ORDERS_WINDOW_MINUTES: { fallback: 120, min: 15, max: 1440 },
  ORDERS_WINDOW_CAPACITY: { fallback: 500, min: 0, max: 1_000_000 },
  ORDERS_QUOTE_MINUTES: { fallback: 15, min: 1, max: 1440 },
} as const satisfies Readonly<
  Record<string, { readonly fallback: number; readonly min: number; readonly max: number }>
>;

const minuteMs = 60_000;

export interface Settings {
  /** How often a pickup is tried before the order can only be cancelled. */
  readonly pickupAttemptsMax: number;
  /** Of the H3 cells that share their capacity: 6 is some 36 km². */
  readonly areaResolution: number;
  /** Length of the slots in which places are counted. */
  readonly windowMs: number;
  /** Places in an area and slot for which ops has set no other number. */
  readonly windowCapacity: number;
  /** How long a quoted price is held. */
  readonly quoteMs: number;
}

/**
 * @throws {RangeError} that says what a variable is and what it must be: the plugin does not start
 */
export function readSettings(environment: Readonly<Record<string, string>>): Settings {
  const read = (variable: Variable): number => readWhole(variable, environment[variable]);
  return {
    pickupAttemptsMax: read('ORDERS_PICKUP_ATTEMPTS_MAX'),
    areaResolution: read('ORDERS_AREA_RESOLUTION'),
    windowMs: read('ORDERS_WINDOW_MINUTES') * minuteMs,
    windowCapacity: read('ORDERS_WINDOW_CAPACITY'),
    quoteMs: read('ORDERS_QUOTE_MINUTES') * minuteMs,
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
