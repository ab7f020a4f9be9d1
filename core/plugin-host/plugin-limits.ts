import type { Config } from '#core/config/settings.ts';
import { createCallBudget, type CallBudget } from './call-budget.ts';
import type { DiscoveredPlugin } from './manifest/discovery.ts';

/** What each plugin may use up at the door. */
export interface PluginLimits {
  budgetOf(plugin: string): CallBudget;
  /** Counts a denial; true when there were too many in a minute: such a plugin is not in development, it is trying doors. */
  countDenial(plugin: string, nowMs: number): boolean;
}

const windowMs = 60_000;

export function createPluginLimits(plugins: readonly DiscoveredPlugin[], config: Config): PluginLimits {
  const denials = new Map<string, { startedAtMs: number; count: number }>();
  const budgets = new Map(
    plugins.map(({ manifest: { name, limits } }) => [
      name,
      createCallBudget(Math.min(config.pluginCallsPerSecondMax, limits.callsPerSecond ?? Infinity)),
    ]),
  );
  return {
    budgetOf(plugin) {
      const budget = budgets.get(plugin);
      if (budget === undefined) throw new TypeError(`No plugin "${plugin}" was admitted`);
      return budget;
    },
    countDenial(plugin, nowMs) {
      const current = denials.get(plugin);
      const window =
        current !== undefined && nowMs - current.startedAtMs < windowMs ? current : { startedAtMs: nowMs, count: 0 };
      window.count += 1;
      const tooMany = window.count > config.pluginDenialsPerMinuteMax;
      // It ends that process: the next one begins with a clean record.
      if (tooMany) denials.delete(plugin);
      else denials.set(plugin, window);
      return tooMany;
    },
  };
}
