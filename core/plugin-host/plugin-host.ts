import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { handlerTrace } from '#core/telemetry/handler-trace.ts';
import type { AdmittedPlugins } from './admission.ts';
import type { Audit } from './audit/audit.ts';
import type { Capability } from './capability.ts';
import { createDeathStore } from './deaths.ts';
import { createInvoke } from './invoke.ts';
import { showDenials, showPermissions } from './permissions/permission-metrics.ts';
import { createPluginLimits } from './plugin-limits.ts';
import { toSandboxOptions } from './sandbox/sandbox-options.ts';
import type { StartSandbox } from './sandbox/sandbox.ts';
import type { SupervisorState } from './supervisor/supervisor-state.ts';
import { createSupervisor, type Supervisor } from './supervisor/supervisor.ts';

export interface PluginHostOptions {
  readonly admitted: AdmittedPlugins;
  readonly capabilities: readonly Capability[];
  readonly audit: Audit;
  readonly telemetry: Telemetry;
  readonly config: Config;
  readonly startSandbox: StartSandbox;
  /** A process has made all its registrations. */
  readonly onReady: (instance: PluginInstance) => void;
}

export interface PluginStatus {
  readonly name: string;
  readonly version: string;
  /** `held`: it differs from plugins.lock and was not started. */
  readonly state: SupervisorState | 'held';
  readonly ready: boolean;
  /** Why it is not ready, in a line. */
  readonly detail: string | null;
}

export interface PluginHost {
  /** All at once; resolves when each has become ready or has failed its first attempt. */
  start(): Promise<void>;
  stop(): Promise<void>;
  status(): readonly PluginStatus[];
  /** Undefined for a plugin that was not started. */
  stateOf(plugin: string): SupervisorState | undefined;
  /** For a denial that was found elsewhere than at the door; too many in a minute end the plugin. */
  countDenial(plugin: string): void;
  /** Starts a quarantined plugin again. @throws {AppError} PLUGIN_UNKNOWN, PLUGIN_NOT_QUARANTINED */
  release(name: string): Promise<PluginStatus>;
}

/** Runs the admitted plugins, each under a supervisor of its own, all behind one invoke(). */
export function createPluginHost(options: PluginHostOptions): PluginHost {
  const { admitted, telemetry, config } = options;
  const supervisors = new Map<string, Supervisor>();
  const limits = createPluginLimits(admitted.plugins, config);

  function countDenial(name: string): void {
    if (!limits.countDenial(name, Date.now())) return;
    supervisors
      .get(name)
      ?.kill('flood', `it was denied more than ${config.pluginDenialsPerMinuteMax} times in a minute`);
  }

  const { invoke, note } = createInvoke({
    capabilities: options.capabilities,
    permissions: admitted.permissions,
    audit: options.audit,
    telemetry,
    callTimeoutMs: config.pluginCallTimeoutMs,
    budgetOf: (plugin) => limits.budgetOf(plugin),
    onDenied: ({ plugin }) => countDenial(plugin.name),
  });
  const shared = {
    startSandbox: options.startSandbox,
    invoke,
    note,
    onNativeDenial(instance: PluginInstance, denial: { readonly permission: string; readonly resource: string }) {
      options.audit.nativeDenied({ plugin: instance.plugin, ...denial });
      countDenial(instance.plugin.name);
    },
    handlerTrace,
    telemetry,
    deaths: createDeathStore({ dataDir: config.dataDir, keptMax: config.pluginDeathsKept }),
    now: Date.now,
    random: Math.random,
  };
  showPermissions(telemetry.metrics, admitted);
  showDenials(telemetry.metrics, { plugins: admitted.plugins, capabilities: options.capabilities });
  for (const plugin of admitted.plugins) {
    const supervisor = createSupervisor({ ...shared, sandbox: toSandboxOptions(plugin, { ...admitted, config }) });
    supervisor.onStateChange(({ to }) => {
      if (to === 'ready' && supervisor.instance !== null) options.onReady(supervisor.instance);
    });
    supervisors.set(plugin.manifest.name, supervisor);
  }

  return {
    async start() {
      await Promise.all([...supervisors.values()].map((supervisor) => supervisor.start()));
    },
    async stop() {
      await Promise.all([...supervisors.values()].map((supervisor) => supervisor.stop()));
    },
    countDenial,
    status: () => [...[...supervisors.values()].map(toStatus), ...admitted.held.map(toHeldStatus)],
    stateOf: (plugin) => supervisors.get(plugin)?.state,
    async release(name) {
      const supervisor = supervisors.get(name);
      if (supervisor === undefined) throw unknownPlugin(name, [...supervisors.keys()]);
      await supervisor.release();
      return toStatus(supervisor);
    },
  };
}

function unknownPlugin(name: string, names: readonly string[]): AppError {
  return new AppError('PLUGIN_UNKNOWN', `Cannot release "${name}": there are ${names.join(', ')}`);
}

function toStatus(supervisor: Supervisor): PluginStatus {
  const { plugin, state, ready, lastDeath } = supervisor;
  const detail = ready || lastDeath === null ? null : `${lastDeath.reason}: ${lastDeath.message.split('\n')[0] ?? ''}`;
  return { ...plugin, state, ready, detail };
}

function toHeldStatus({ plugin, error }: AdmittedPlugins['held'][number]): PluginStatus {
  const { name, version } = plugin.manifest;
  return { name, version, state: 'held', ready: false, detail: error.message.split('\n')[0] ?? '' };
}
