import { join } from 'node:path';
import type { Config } from '#core/config/settings.ts';
import type { TelemetryOptions } from '#core/telemetry/telemetry.ts';

/** Where this configuration's log lines go; null is standard output. */
export function logPathOf({ logFile, dataDir }: Pick<Config, 'logFile' | 'dataDir'>): string | null {
  if (logFile === '-') return null;
  return logFile === '' ? join(dataDir, 'returnit.log') : logFile;
}

/** For telemetry; undefined is standard output. */
export function toLogFile(config: Config): TelemetryOptions['logFile'] {
  const path = logPathOf(config);
  if (path === null) return undefined;
  return {
    path,
    maxBytes: config.logFileMaxBytes,
    onError: (error) => process.stderr.write(`Cannot write the log file "${path}": ${error.message}\n`),
  };
}
