/** Real metrics and a real logger whose lines the test can read. */
import { Writable } from 'node:stream';
import { createLogger } from '#core/telemetry/logger.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';

export interface LogLine extends Readonly<Record<string, unknown>> {
  readonly level: string;
  readonly msg: string;
}

export function createTestTelemetry(): Telemetry & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)) as LogLine);
      done();
    },
  });
  const metrics = createMetrics({ labelSetsMax: 500 });
  return { metrics, logger: createLogger({ level: 'debug', destination, metrics }), lines };
}
