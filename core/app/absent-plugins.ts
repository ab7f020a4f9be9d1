import type { Config } from '#core/config/settings.ts';
import type { Outage } from '#core/http/route.ts';
import type { AdmittedPlugins } from '#core/plugin-host/admission.ts';
import { covers } from '#core/plugin-host/permissions/permission-match.ts';
import type { PluginStatus } from '#core/plugin-host/plugin-host.ts';

export interface AbsentPluginsOptions {
  readonly admitted: Pick<AdmittedPlugins, 'plugins' | 'held'>;
  /** How they are now. */
  readonly status: () => readonly Pick<PluginStatus, 'name' | 'state'>[];
  readonly config: Pick<Config, 'pluginRestartDelayMs'>;
}

type State = PluginStatus['state'];

/** As long as an operator takes at the very least. */
const operatorRetrySeconds = 60;

const needsOperator: Partial<Record<State, string>> = {
  held: 'an operator must see to its lock',
  quarantined: 'an operator must release it',
  failed: 'an operator must see to it',
};

/**
 * Answers for paths without a route: a plugin that has never been ready has registered none, but its manifest says which
 * prefixes it would answer. The longest prefix decides; undefined when nobody has the path, or its plugin is ready and
 * has no such route.
 */
export function createAbsentPlugins(options: AbsentPluginsOptions): (path: string) => Outage | undefined {
  const { admitted, config } = options;
  const prefixes = [...admitted.plugins, ...admitted.held.map(({ plugin }) => plugin)]
    .flatMap(({ manifest }) =>
      (manifest.permissions.http?.routes ?? []).map((prefix) => ({ prefix, plugin: manifest.name })),
    )
    .sort((one, other) => other.prefix.length - one.prefix.length);
  return (path) => {
    const plugin = prefixes.find(({ prefix }) => covers('http', prefix, path))?.plugin;
    const state = options.status().find(({ name }) => name === plugin)?.state;
    if (plugin === undefined || state === undefined || state === 'ready') return undefined;
    const operator = needsOperator[state];
    return {
      detail: `Plugin "${plugin}", which answers this path, is not ready: its state is "${state}"; ${operator ?? 'try again later'}`,
      retryAfterSeconds: operator === undefined ? Math.ceil(config.pluginRestartDelayMs / 1000) : operatorRetrySeconds,
    };
  };
}
