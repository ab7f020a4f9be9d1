/** Levels of the log that ops set while the core runs: they lie in the database, so that they reach every node. */
import { toAccessDatabase } from '../access.ts';
import type { Backends } from '../backends.ts';
import type { Foundation } from '../foundation.ts';
import { platformVersion } from '../platform-version.ts';
import { addLogLevelRoutes } from './log-level-routes.ts';
import { createLogLevelStore } from './log-level-store.ts';
import { createLogLevelSync } from './log-level-sync.ts';
import type { RouteTable } from '#core/http/route-table.ts';

const channel = 'returnit_log_level';

/** @returns how its routes are added; they take their paths before any plugin can */
export async function startLogLevel(
  { config, telemetry, audit }: Foundation,
  { database, jobs, admitted }: Pick<Backends, 'database' | 'jobs' | 'admitted'>,
  cleanup: AsyncDisposableStack,
): Promise<(routes: RouteTable) => void> {
  const { logLevels: levels } = telemetry;
  const logger = telemetry.logger.child({ component: 'telemetry' });
  const store = createLogLevelStore(toAccessDatabase(database));
  const sync = createLogLevelSync({ store, levels, logger });
  cleanup.defer(() => sync.stop());
  const stop = await jobs.listener.listen(channel, {
    onNotification: () => sync.changed(),
    // What was set before this node listened, and while it did not.
    onReconnect: () => sync.changed(),
  });
  cleanup.defer(stop);
  const found = [...admitted.plugins, ...admitted.held.map(({ plugin }) => plugin)];
  return (routes) =>
    addLogLevelRoutes(routes, {
      store,
      sync,
      levels,
      config,
      plugins: found.map(({ manifest }) => manifest.name),
      audit: (change) =>
        audit.settingChanged({ plugin: { name: 'core', version: platformVersion }, setting: 'log-level', ...change }),
    });
}
