import { join } from 'node:path';
import type { Config } from '#core/config/settings.ts';
import { createOperationsServer } from '#core/http/operations.ts';
import { createAudit, type Audit } from '#core/plugin-host/audit/audit.ts';
import { collectResources } from '#core/telemetry/resource-collector.ts';
import { createTelemetry, type RunningTelemetry, type TelemetryOptions } from '#core/telemetry/telemetry.ts';
import { toLogFile } from './log-file.ts';
import { toReadiness, type Parts } from './readiness.ts';

export interface Foundation {
  readonly config: Config;
  readonly telemetry: RunningTelemetry;
  readonly audit: Audit;
  readonly operations: { readonly host: string; readonly port: number };
  /** What readiness looks at; each part is set when it is up. */
  readonly parts: { -readonly [Part in keyof Parts]: Parts[Part] };
}

/** What must be there before anything can be started: eyes on what happens next. */
export async function startFoundation(
  config: Config,
  telemetryOptions: TelemetryOptions,
  cleanup: AsyncDisposableStack,
): Promise<Foundation> {
  const logFile = telemetryOptions.logDestination === undefined ? toLogFile(config) : undefined;
  const telemetry = await createTelemetry(config, {
    ...telemetryOptions,
    ...(logFile === undefined ? {} : { logFile }),
  });
  cleanup.defer(() => telemetry.stop());
  cleanup.defer(collectResources(telemetry.metrics, config));
  const audit = createAudit({ dir: join(config.dataDir, 'audit'), config, telemetry });
  cleanup.defer(() => audit.stop());
  const parts: Foundation['parts'] = { listening: false, stopping: false };
  const server = createOperationsServer({ config, telemetry, readiness: () => toReadiness(parts) });
  cleanup.defer(() => server.stop());
  return { config, telemetry, audit, parts, operations: await server.start() };
}
