import type { Metrics } from '#core/telemetry/metrics.ts';
import type { Capability } from '../capability.ts';
import { permissionNames } from './permission-names.ts';
import { effectiveGrants, missingGrants, type PluginRules } from './permission-rules.ts';
import type { Permissions } from './permissions.ts';

interface Asking {
  readonly plugins: readonly { readonly manifest: { readonly name: string } }[];
  readonly permissions: Pick<Permissions, 'rulesOf'>;
}

/** Shows what each plugin asks for and what it has of that. What it uses is counted with its calls. */
export function showPermissions(metrics: Metrics, { plugins, permissions }: Asking): void {
  for (const { manifest } of plugins) {
    const rules = permissions.rulesOf(manifest.name);
    if (rules !== undefined) showRules(metrics, manifest.name, rules);
  }
}

/** Each call that can be denied begins at 0, for each plugin: the first denial must be visible as an increase. */
export function showDenials(
  metrics: Metrics,
  { plugins, capabilities }: Pick<Asking, 'plugins'> & { readonly capabilities: readonly Capability[] },
): void {
  const calls = metrics.counter('returnit_plugin_capability_calls_total');
  const names = capabilities.flatMap(({ name, methods }) =>
    Object.entries(methods)
      .filter(([, { guarded }]) => guarded === true)
      .map(([method]) => `${name}.${method}`),
  );
  for (const { manifest } of plugins)
    for (const capability of names) calls.inc({ plugin: manifest.name, capability, outcome: 'denied' }, 0);
}

function showRules(metrics: Metrics, plugin: string, rules: PluginRules): void {
  const resources = metrics.gauge('returnit_plugin_permissions');
  const missing = missingGrants(rules);
  for (const permission of permissionNames) {
    const { requested } = rules[permission];
    if (requested.length === 0) continue;
    const counts = {
      requested: requested.length,
      granted: effectiveGrants(permission, rules[permission]).length,
      missing: missing.filter((item) => item.permission === permission).length,
    };
    for (const [state, count] of Object.entries(counts)) resources.set({ plugin, permission, state }, count);
  }
}
