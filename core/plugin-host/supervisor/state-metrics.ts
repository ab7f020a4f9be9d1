import type { PluginIdentity } from '#core/plugin-instance.ts';
import type { SandboxLimits } from '../sandbox/sandbox-limits.ts';
import { deathReasons, type Death } from './death.ts';
import type { ProcessTelemetry } from './process-metrics.ts';
import { supervisorStates, type SupervisorState } from './supervisor-state.ts';

const bytesPerMiB = 1_048_576;

export interface StateMetrics {
  entered(state: SupervisorState): void;
  died(death: Death): void;
}

export function createStateMetrics(
  { metrics }: ProcessTelemetry,
  { name, version }: PluginIdentity,
  limits: SandboxLimits,
): StateMetrics {
  const plugin = { plugin: name };
  const states = metrics.gauge('returnit_plugin_state');
  const restarts = metrics.counter('returnit_plugin_restarts_total');
  const quarantined = metrics.gauge('returnit_plugin_quarantined');
  metrics.gauge('returnit_plugin_info').set({ ...plugin, version }, 1);
  metrics.gauge('returnit_plugin_rss_limit_bytes').set(plugin, limits.rssMiB * bytesPerMiB);
  metrics.gauge('returnit_plugin_calls_in_flight_max').set({}, limits.callsInFlightMax);
  // Every reason starts at 0: the first death of a kind must be visible as an increase.
  for (const reason of deathReasons) restarts.inc({ ...plugin, reason }, 0);

  function entered(state: SupervisorState): void {
    for (const known of supervisorStates) states.set({ ...plugin, state: known }, known === state ? 1 : 0);
    quarantined.set(plugin, state === 'quarantined' ? 1 : 0);
  }

  entered('stopped');
  return { entered, died: (death) => restarts.inc({ ...plugin, reason: death.reason }) };
}
