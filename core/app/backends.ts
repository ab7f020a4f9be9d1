import { toRole } from '#core/database/identifiers.ts';
import type { Cluster } from '#core/database/postgres-cluster.ts';
import { createTransactions, type Transactions } from '#core/database/transactions.ts';
import type { Database } from '#core/database/database.ts';
import { createDatabaseHealth } from '#core/database/health.ts';
import { startStatistics } from '#core/database/statistics/statistics-collector.ts';
import { createAuthenticator, type Authenticator } from '#core/http/authentication.ts';
import type { AuthenticateDevice } from '#core/http/device-credentials.ts';
import { startJobSystem, type JobSystem } from '#core/jobs/job-system.ts';
import type { Credentials } from '#core/mqtt/credentials.ts';
import type { NodeMessages } from '#core/mqtt/node-messages.ts';
import type { MqttTransport } from '#core/mqtt/transport.ts';
import { admitPlugins, type AdmitPluginsOptions, type AdmittedPlugins } from '#core/plugin-host/admission.ts';
import { createSandboxes, type StartSandbox } from '#core/plugin-host/sandbox/sandbox.ts';
import { toSandboxOptions } from '#core/plugin-host/sandbox/sandbox-options.ts';
import { createBroker } from './broker.ts';
import { startCaches, type Caches } from './caches.ts';
import type { Foundation } from './foundation.ts';
import { openDatabase, startPostgres } from './storage.ts';

export type Admission = Pick<AdmitPluginsOptions, 'projectDir' | 'flags' | 'terminal' | 'environment'>;

/** What plugins reach through the core. */
export interface Backends {
  readonly admitted: AdmittedPlugins;
  readonly startSandbox: StartSandbox;
  readonly authenticator: Authenticator;
  readonly database: Database;
  readonly transactions: Transactions;
  readonly jobs: JobSystem;
  readonly caches: Caches;
  readonly transport: MqttTransport;
  readonly nodes?: NodeMessages;
  readonly credentials: Credentials;
  readonly authenticateDevice: AuthenticateDevice;
}

export async function startBackends(
  foundation: Foundation,
  { admission, cluster }: { readonly admission: Admission; readonly cluster: Promise<Cluster> | null },
  cleanup: AsyncDisposableStack,
): Promise<Backends> {
  const { config, telemetry, audit, parts } = foundation;
  const sandboxes = createSandboxes();
  cleanup.defer(() => sandboxes.stop());
  const [postgres, admitted, authenticator] = await settleAll([
    startPostgres({ config, telemetry, cluster }).then((running) => {
      cleanup.defer(() => running.stop());
      return running;
    }),
    admitPlugins({ ...admission, config, audit, logger: telemetry.logger }).then((plugins) => {
      // They load their code while the database starts and is migrated; what they ask for waits in their pipes.
      for (const plugin of plugins.plugins) sandboxes.startAhead(toSandboxOptions(plugin, { ...plugins, config }));
      return plugins;
    }),
    createAuthenticator({ config }),
  ]);
  const database = await openDatabase(postgres.url, admitted, { config, telemetry });
  cleanup.defer(() => database.stop());
  const health = createDatabaseHealth({ database, telemetry, config });
  cleanup.defer(() => health.stop());
  await health.start();
  parts.database = health;
  if (config.dbStatisticsIntervalMs > 0) {
    const plugins = admitted.plugins.map(({ manifest }) => manifest.name);
    const statistics = startStatistics({ database, plugins, telemetry, config });
    cleanup.defer(() => statistics.stop());
  }
  const transactions = createTransactions({ database, telemetry, config });
  cleanup.defer(() => transactions.stop());
  const jobs = await startJobSystem({
    database,
    config,
    telemetry,
    onForged: auditForgery({ audit, parts }, admitted),
  });
  cleanup.defer(() => jobs.stop());
  const caches = await startCaches({ config, telemetry, listener: jobs.listener });
  cleanup.defer(() => caches.stop());
  const broker = await createBroker({ config, telemetry, database, listener: jobs.listener });
  cleanup.defer(async () => broker.nodes?.stop());
  return {
    admitted,
    startSandbox: sandboxes.start,
    authenticator,
    database,
    transactions,
    jobs,
    caches,
    ...broker,
  };
}

/**
 * A plugin can write to the outbox past invoke(), but not with the core's seal: that is a denial like any other. It is
 * counted for the role that was logged in: the plugin that the row names may be the victim.
 */
function auditForgery(
  { audit, parts }: Pick<Foundation, 'audit' | 'parts'>,
  { plugins }: AdmittedPlugins,
): Parameters<typeof startJobSystem>[0]['onForged'] {
  const byRole = new Map(plugins.map(({ manifest }) => [toRole(manifest.name), manifest]));
  return ({ role, plugin: claimed, kind, name: resource }) => {
    const forger = byRole.get(role);
    audit.denied({
      plugin: { name: forger?.name ?? role, version: forger?.version ?? 'unknown' },
      access: { permission: kind === 'event' ? 'events' : 'jobs', resource },
      rule: `the outbox row was not written by the core: it claims to be of ${claimed}`,
      source: 'door',
    });
    if (forger !== undefined) parts.host?.countDenial(forger.name);
  };
}

/** As Promise.all, but waits for every one before it fails: what was started by then is known to the cleanup. */
async function settleAll<A, B, C>(promises: readonly [Promise<A>, Promise<B>, Promise<C>]): Promise<[A, B, C]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
