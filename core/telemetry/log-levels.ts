import type { LogLevel } from '#core/config/settings-log.ts';
import type { Metrics } from './metrics.ts';

/** pino's own numbers; `silent` is above all of them. */
export const severities: Readonly<Record<LogLevel, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
  silent: 100,
};

/** Whose lines: a plugin's, a component's of the core, or with neither all. */
export interface LogTarget {
  readonly plugin?: string | undefined;
  readonly component?: string | undefined;
}

export interface LevelChange extends LogTarget {
  readonly level: LogLevel;
}

/** Names that stand as `component` on lines of a running core. */
export const logComponents = [
  'access',
  'audit',
  'cache',
  'database',
  'http',
  'jobs',
  'listener',
  'migrations',
  'mqtt',
  'operations',
  'outbox',
  'plugin',
  'postgres',
  'repeat',
  'statistics',
  'supervisor',
  'telemetry',
  'worker',
] as const;

export interface LogLevels {
  /** LOG_LEVEL. */
  readonly configured: LogLevel;
  /** What is written of these lines: the plugin's level, else the component's, else that of all. */
  levelOf(target: LogTarget): LogLevel;
  isEnabled(level: LogLevel, target: LogTarget): boolean;
  /** The same where it does not depend on whose lines they are, which is most of the time; else undefined. */
  isEnabledForAll(level: LogLevel): boolean | undefined;
  /** In place of all earlier changes; what is not named has the configured level. */
  replace(changes: readonly LevelChange[]): void;
}

export interface LogLevelsOptions {
  readonly configured: LogLevel;
  /** Shows the levels in force as returnit_log_level. */
  readonly metrics?: Metrics | undefined;
}

/** One object for a logger and all its children: a level that changes holds for lines of loggers that exist already. */
export function createLogLevels({ configured, metrics }: LogLevelsOptions): LogLevels {
  const gauge = metrics?.gauge('returnit_log_level');
  let plugins: ReadonlyMap<string, LogLevel> = new Map();
  let components: ReadonlyMap<string, LogLevel> = new Map();
  let common = configured;
  /** The lowest and the highest severity from which any lines are written. */
  let [lowest, highest] = [severities[common], severities[common]];
  let shown: readonly Record<string, string>[] = [];
  gauge?.set({}, severities[common]);

  function show(changes: readonly LevelChange[]): void {
    if (gauge === undefined) return;
    for (const labels of shown) gauge.remove(labels);
    const own = changes.map(({ level, ...target }) => ({ level, labels: toLabels(target) }));
    for (const { level, labels } of own) gauge.set(labels, severities[level]);
    shown = own.map(({ labels }) => labels).filter((labels) => Object.keys(labels).length > 0);
    gauge.set({}, severities[common]);
  }

  const levelOf = ({ plugin, component }: LogTarget): LogLevel =>
    (plugin === undefined ? undefined : plugins.get(plugin)) ??
    (component === undefined ? undefined : components.get(component)) ??
    common;

  return {
    configured,
    levelOf,
    isEnabled: (level, target) => severities[level] >= severities[levelOf(target)],
    isEnabledForAll(level) {
      const severity = severities[level];
      if (severity >= highest) return true;
      return severity < lowest ? false : undefined;
    },
    replace(changes) {
      plugins = new Map(changes.flatMap(({ plugin, level }) => (plugin === undefined ? [] : [[plugin, level]])));
      components = new Map(
        changes.flatMap(({ component, level }) => (component === undefined ? [] : [[component, level]])),
      );
      common = changes.find((change) => isOfAll(change))?.level ?? configured;
      const inForce = [common, ...plugins.values(), ...components.values()].map((level) => severities[level]);
      [lowest, highest] = [Math.min(...inForce), Math.max(...inForce)];
      show(changes);
    },
  };
}

const isOfAll = ({ plugin, component }: LogTarget): boolean => plugin === undefined && component === undefined;

function toLabels({ plugin, component }: LogTarget): Record<string, string> {
  return { ...(plugin === undefined ? {} : { plugin }), ...(component === undefined ? {} : { component }) };
}
