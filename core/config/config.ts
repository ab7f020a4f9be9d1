import { AppError } from '#core/errors/app-error.ts';
import { settings, type Config } from './settings.ts';

/**
 * The configuration, validated and frozen. The only reader of `process.env`.
 * Every wrong variable is reported at once; an empty variable counts as not set.
 *
 * @throws {AppError} INVALID_CONFIG
 */
export function loadConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  overrides: Partial<Config> = {},
): Config {
  const problems: string[] = [];
  const entries = Object.entries(settings).map(([name, setting]) => {
    const value = environment[setting.variable];
    if (value === undefined || value === '') return [name, setting.fallback];
    try {
      return [name, setting.parse(value)];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      problems.push(error.message);
      return [name, setting.fallback];
    }
  });
  if (problems.length > 0) {
    throw new AppError('INVALID_CONFIG', `Cannot start: ${problems.join('; ')}`, { details: { problems } });
  }
  return Object.freeze({ ...(Object.fromEntries(entries) as unknown as Config), ...overrides });
}

/** Names of all variables that are set, whoever reads them. */
export function listVariables(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): readonly string[] {
  return Object.keys(environment).filter((name) => (environment[name] ?? '') !== '');
}

/** The variables that these names allow: `STRIPE_KEY`, or `STRIPE_*` for all that begin so. For plugins' `env` grants. */
export function readGrantedEnvironment(
  names: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Readonly<Record<string, string>> {
  const isGranted = (variable: string): boolean =>
    names.some((name) => (name.endsWith('*') ? variable.startsWith(name.slice(0, -1)) : variable === name));
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && isGranted(entry[0]),
    ),
  );
}
