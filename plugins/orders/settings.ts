/** What an operator may change, by the variable that says so; the README lists them with their meaning. */
export const settingDefaults = {
  ORDERS_PICKUP_ATTEMPTS_MAX: { fallback: 3, min: 1, max: 20 },
} as const satisfies Readonly<
  Record<string, { readonly fallback: number; readonly min: number; readonly max: number }>
>;

export interface Settings {
  /** How often a pickup is tried before the order can only be cancelled. */
  readonly pickupAttemptsMax: number;
}

/**
 * @throws {RangeError} that says what a variable is and what it must be: the plugin does not start
 */
export function readSettings(environment: Readonly<Record<string, string>>): Settings {
  const read = (variable: Variable): number => readWhole(variable, environment[variable]);
  return {
    pickupAttemptsMax: read('ORDERS_PICKUP_ATTEMPTS_MAX'),
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
