/** The composition of the core: what is started in which order, and stopped in the reverse one. */
import type { Config } from '#core/config/settings.ts';
import { lockDataFolder } from '#core/database/data-folder.ts';
import { openCluster } from '#core/database/postgres-cluster.ts';
import type { Authenticator } from '#core/http/authentication.ts';
import type { PluginStatus } from '#core/plugin-host/plugin-host.ts';
import type { RunningTelemetry, TelemetryOptions } from '#core/telemetry/telemetry.ts';
import { removeAddresses, toUrl, writeAddresses, type Addresses } from './app/addresses.ts';
import type { Admission } from './app/backends.ts';
import { startFoundation } from './app/foundation.ts';
import { platformVersion } from './app/platform-version.ts';

export interface AppOptions {
  readonly config: Config;
  /** Where the plugins are, and what the operator says of their permissions. */
  readonly admission: Admission;
  /** Where log lines go. @default LOG_FILE */
  readonly logDestination?: NonNullable<TelemetryOptions['logDestination']>;
}

export interface App {
  readonly addresses: Addresses;
  readonly authenticator: Authenticator;
  readonly telemetry: RunningTelemetry;
  plugins(): readonly PluginStatus[];
  /** Readiness off, accept no more, finish, flush. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts everything; what was started is stopped again when a part fails.
 *
 * @throws {AppError} with what is wrong and what would be right
 */
export async function startApp(options: AppOptions): Promise<App> {
  const cleanup = new AsyncDisposableStack();
  try {
    return await start(options, cleanup);
  } catch (error) {
    await cleanup.disposeAsync();
    throw error;
  }
}

async function start(options: AppOptions, cleanup: AsyncDisposableStack): Promise<App> {
  const { config, admission, logDestination } = options;
  const folder = lockDataFolder(config.dataDir);
  cleanup.defer(() => folder.release());
  const telemetryOptions = { version: platformVersion, ...(logDestination === undefined ? {} : { logDestination }) };
  const foundation = await startFoundation(config, telemetryOptions, cleanup);
  // To make a cluster takes a second, in a process of its own: the rest of the code is loaded meanwhile.
  const cluster = config.databaseUrl === null ? openCluster(folder.path) : null;
  // A failure is told to whoever needs the cluster; initdb itself is waited for in any case.
  const made = Promise.allSettled([cluster]);
  cleanup.defer(async () => void (await made));
  const [{ startBackends }, { startFront }] = await Promise.all([
    import('./app/backends.ts'),
    import('./app/front.ts'),
  ]);
  const backends = await startBackends(foundation, { admission, cluster }, cleanup);
  const { host, httpPort } = await startFront(foundation, backends, cleanup);
  const { telemetry, operations } = foundation;
  const addresses: Addresses = {
    api: toUrl('http', config.httpHost, httpPort),
    ops: toUrl('http', operations.host, operations.port),
    mqtt: backends.transport.address,
    pid: process.pid,
  };
  await writeAddresses(config.dataDir, addresses);
  cleanup.defer(() => removeAddresses(config.dataDir));
  return {
    addresses,
    authenticator: backends.authenticator,
    telemetry,
    plugins: () => host.status(),
    stop: () => cleanup.disposeAsync(),
  };
}
