import type { Config } from '#core/config/settings.ts';
import type { Database } from '#core/database/database.ts';
import type { Transactions } from '#core/database/transactions.ts';
import type { RouteTable } from '#core/http/route-table.ts';
import type { JobSystem } from '#core/jobs/job-system.ts';
import type { LiveHub } from '#core/live/hub.ts';
import type { ShareLinks } from '#core/live/share-links.ts';
import type { Credentials } from '#core/mqtt/credentials.ts';
import type { MqttTransport } from '#core/mqtt/transport.ts';
import type { AdmittedPlugins } from '#core/plugin-host/admission.ts';
import type { Capability } from '#core/plugin-host/capability.ts';
import { createCacheCapability } from '#core/plugin-host/capabilities/cache.ts';
import { createDbCapability } from '#core/plugin-host/capabilities/db.ts';
import { createEventsCapability } from '#core/plugin-host/capabilities/events.ts';
import { createHttpCapability } from '#core/plugin-host/capabilities/http.ts';
import { createJobsCapability } from '#core/plugin-host/capabilities/jobs.ts';
import { createLiveCapability } from '#core/plugin-host/capabilities/live.ts';
import { createLogCapability } from '#core/plugin-host/capabilities/log.ts';
import { createMailCapability } from '#core/plugin-host/capabilities/mail.ts';
import { createMetricsCapability } from '#core/plugin-host/capabilities/metrics.ts';
import { createMqttCapability } from '#core/plugin-host/capabilities/mqtt.ts';
import { createNetCapability } from '#core/plugin-host/capabilities/net.ts';
import { createPermissionsCapability } from '#core/plugin-host/capabilities/permissions.ts';
import { createRepeatCapability } from '#core/plugin-host/capabilities/repeat.ts';
import type { SupervisorState } from '#core/plugin-host/supervisor/supervisor-state.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { Caches } from './caches.ts';

export interface CapabilitiesOptions {
  readonly admitted: AdmittedPlugins;
  readonly database: Database;
  readonly transactions: Transactions;
  readonly jobs: JobSystem;
  readonly caches: Caches;
  readonly transport: MqttTransport;
  readonly credentials: Credentials;
  readonly hub: LiveHub;
  readonly links: ShareLinks;
  readonly routes: RouteTable;
  readonly telemetry: Telemetry;
  readonly config: Config;
  readonly stateOf: (plugin: string) => SupervisorState | undefined;
  /** Requests that somebody waits for an answer to. */
  readonly requestsWaiting: () => number;
}

export interface Capabilities {
  readonly all: readonly Capability[];
  /** Forgets what plugins keep in memory. */
  clearCache(): void;
  /** A process has made all its registrations: what an earlier one made and this one did not is removed. */
  settle(instance: PluginInstance): Promise<void>;
  stop(): Promise<void>;
}

/** Everything that a plugin can reach, in one list: what is not here does not exist for a plugin. */
export function createCapabilities(options: CapabilitiesOptions): Capabilities {
  const { admitted, routes, transport, telemetry, config, caches } = options;
  const manifests = admitted.plugins.map(({ manifest }) => manifest);
  const hosts = new Map(manifests.map(({ name, permissions }) => [name, permissions.net?.hosts ?? []]));
  const callTimeouts = new Map(manifests.map(({ name, limits }) => [name, limits.callTimeoutMs]));
  const events = createEventsCapability({ ...options, invalidations: caches.invalidations });
  const cache = createCacheCapability({ config, metrics: telemetry.metrics });
  const jobs = createJobsCapability(options);
  const all: readonly Capability[] = [
    createHttpCapability({
      routeTable: routes,
      config,
      callTimeoutMsOf: (plugin) => callTimeouts.get(plugin) ?? config.pluginCallTimeoutMs,
      stateOf: options.stateOf,
    }),
    createDbCapability({ ...options, queryCache: caches.queryCache }),
    jobs,
    events,
    createMqttCapability(options),
    createLiveCapability(options),
    cache,
    createNetCapability({ config, metrics: telemetry.metrics, hostsOf: (plugin) => hosts.get(plugin) ?? [] }),
    createMailCapability({ config }),
    createLogCapability({ telemetry, config }),
    createMetricsCapability({ telemetry, plugins: manifests }),
    createRepeatCapability({ telemetry, config }),
    createPermissionsCapability({ permissions: admitted.permissions }),
  ];
  return {
    all,
    clearCache: () => cache.clear(),
    async settle(instance) {
      routes.removeStale({ name: instance.plugin.name, id: instance.id });
      transport.ready(instance.plugin.name);
      await Promise.all([events.settle(instance), jobs.settle(instance)]);
    },
    async stop() {
      for (const capability of all) await capability.stop?.();
    },
  };
}
