import { integer, text } from './setting.ts';

export const logLevelNames = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type LogLevel = (typeof logLevelNames)[number];

/** What is written of the log, and where. */
export const logSettings = {
  logLevel: text('LOG_LEVEL', 'info', {
    description: 'trace, debug, info, warn, error, fatal or silent',
    oneOf: logLevelNames,
  }),
  logLevelSeconds: integer('LOG_LEVEL_SECONDS', 3600, {
    description: 'How long a level set by `PUT /ops/log-level` holds where that does not say',
    min: 1,
    max: 604_800,
  }),
  logLevelSecondsMax: integer('LOG_LEVEL_SECONDS_MAX', 86_400, {
    description: 'The longest that it may hold; then the level is LOG_LEVEL again',
    min: 1,
    max: 604_800,
  }),
  logRepeatsMax: integer('LOG_REPEATS_MAX', 20, {
    description:
      'How often the same warning or error is written in a window before it is only counted; 0 is without limit',
  }),
  logRepeatsWindowMs: integer('LOG_REPEATS_WINDOW_MS', 60_000, {
    description: 'That window; at its end one line says how many were left out',
    min: 100,
    max: 86_400_000,
  }),
  logFile: text('LOG_FILE', '', {
    description: 'Where log lines go; empty is returnit.log in the data folder, - is standard output',
  }),
  logFileMaxBytes: integer('LOG_FILE_MAX_BYTES', 67_108_864, {
    description: 'Size at which the log file is renamed to end in .1',
    min: 4096,
  }),
} as const;
