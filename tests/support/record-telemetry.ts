import { pino } from 'pino';
import { createMetrics } from '#core/telemetry/metrics.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';

export interface TestTelemetry extends Telemetry {
  /** What was logged, as objects. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
}

/** Real metrics, and a log that is kept. */
export function recordTelemetry(): TestTelemetry {
  const lines: Record<string, unknown>[] = [];
  const logger = pino(
    { level: 'debug' },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  return { metrics: createMetrics({ labelSetsMax: 500 }), logger, lines };
}
