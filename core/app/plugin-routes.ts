import { Type } from 'typebox';
import type { RouteTable } from '#core/http/route-table.ts';
import type { PluginHost } from '#core/plugin-host/plugin-host.ts';

const PluginParams = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: 40 }) },
  { additionalProperties: false },
);

const PluginState = Type.Object(
  {
    name: Type.String(),
    version: Type.String(),
    state: Type.String({ description: 'stopped, starting, ready, backoff, quarantined, failed, stopping or held' }),
    ready: Type.Boolean(),
    detail: Type.Union([Type.String(), Type.Null()], { description: 'Why it is not ready' }),
  },
  { additionalProperties: false },
);
const PluginStates = Type.Object({ plugins: Type.Array(PluginState) }, { additionalProperties: false });

/** What ops may do with plugins while the core runs. */
export function addPluginRoutes(routes: RouteTable, host: PluginHost): void {
  const owner = { name: 'core', id: 'core' };
  routes.add({
    verb: 'GET',
    path: '/plugins',
    owner,
    summary: 'The plugins of this node and how they are',
    roles: ['ops'],
    response: { 200: PluginStates },
    run: () => ({ status: 200, text: JSON.stringify({ plugins: host.status() }) }),
  });
  routes.add({
    verb: 'POST',
    path: '/plugins/{name}/release',
    owner,
    summary: 'Starts a quarantined plugin again; its deaths are forgotten',
    roles: ['ops'],
    params: PluginParams,
    response: { 200: PluginState },
    run: async ({ params }) => ({
      status: 200,
      text: JSON.stringify(await host.release((params as { name: string }).name)),
    }),
  });
}
