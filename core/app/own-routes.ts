import type { RouteTable } from '#core/http/route-table.ts';
import { createStaticAssets, type StaticAssets } from '#core/http/static-assets.ts';
import type { JobSystem } from '#core/jobs/job-system.ts';
import type { PluginHost } from '#core/plugin-host/plugin-host.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { addJobRoutes } from './job-routes.ts';
import { addLiveClientRoute } from './live-client-route.ts';
import { addPluginRoutes } from './plugin-routes.ts';

export interface OwnRoutesOptions {
  readonly host: PluginHost;
  readonly jobs: JobSystem;
  readonly telemetry: Telemetry;
}

/** What the core itself answers besides its description. @returns where its pages' files are added */
export function addOwnRoutes(routes: RouteTable, { host, jobs, telemetry }: OwnRoutesOptions): StaticAssets {
  const assets = createStaticAssets(routes);
  addPluginRoutes(routes, host);
  addJobRoutes(routes, { jobs, telemetry });
  addLiveClientRoute(routes, assets);
  return assets;
}
