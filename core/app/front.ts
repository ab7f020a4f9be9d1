import { createRouteTable, type RouteTable } from '#core/http/route-table.ts';
import { createHttpServer, type HttpServer } from '#core/http/server.ts';
import { createPluginHost, type PluginHost } from '#core/plugin-host/plugin-host.ts';
import { createAccess } from './access.ts';
import { createAbsentPlugins } from './absent-plugins.ts';
import type { Backends } from './backends.ts';
import { guardMemory } from './caches.ts';
import { createCapabilities, type Capabilities } from './capabilities.ts';
import type { Foundation } from './foundation.ts';
import { startLogLevel } from './log-level/log-level.ts';
import { createLive, type Live } from './live.ts';
import { addOwnRoutes } from './own-routes.ts';
import { platformVersion } from './platform-version.ts';

export interface Front {
  readonly host: PluginHost;
  readonly httpPort: number;
}

/** The plugins first, then the doors for clients and devices: nobody is let in before there is somebody to answer. */
export async function startFront(
  foundation: Foundation,
  backends: Backends,
  cleanup: AsyncDisposableStack,
): Promise<Front> {
  const { config, telemetry, parts } = foundation;
  const { admitted, authenticator, transport, jobs, caches } = backends;
  const routes = createRoutes(foundation, backends);
  const access = await createAccess(foundation, backends, cleanup);
  const addLogLevelRoutes = await startLogLevel(foundation, backends, cleanup);
  const { hub, links, streams, sockets } = await createLive(foundation, backends);
  const capabilities = createCapabilities({
    ...backends,
    hub,
    links,
    routes,
    telemetry,
    config,
    stateOf: (plugin) => parts.host?.stateOf(plugin),
    requestsWaiting: () => parts.http?.requestsWaiting() ?? 0,
  });
  cleanup.defer(() => capabilities.stop());
  cleanup.defer(guardMemory(foundation, caches, capabilities));
  const host = createHost(foundation, backends, capabilities);
  parts.host = host;
  const assets = addOwnRoutes(routes, { host, jobs, telemetry });
  access.addRoutes(routes);
  addLogLevelRoutes(routes);
  const http = createHttpServer({
    config,
    telemetry,
    routes,
    authenticator,
    authenticateDevice: backends.authenticateDevice,
    responseCache: caches.responseCache,
    assets,
    ...access,
    version: platformVersion,
    takeStream: (request, response) => streams.take(request, response),
  });
  parts.http = http;
  takeUpgrades(http.server, sockets);

  for (const { manifest } of admitted.plugins) {
    transport.expect(manifest.name, manifest.permissions.mqtt?.subscribe ?? []);
  }
  cleanup.defer(() => host.stop());
  await host.start();
  cleanup.defer(async () => {
    parts.stopping = true;
    hub.stop();
    // What is on its way is finished while plugins and database are still there.
    const timeoutMs = config.shutdownTimeoutMs;
    await Promise.all([http.stop({ timeoutMs }), sockets.stop(), transport.stop(), jobs.stop()]);
  });
  await transport.start();
  parts.transport = transport;
  const { port } = await http.start();
  parts.listening = true;
  return { host, httpPort: port };
}

function takeUpgrades(server: HttpServer['server'], sockets: Live['sockets']): void {
  server.on('upgrade', (request, socket, head) => {
    if (!sockets.upgrade(request, socket, head)) socket.destroy();
  });
}
function createHost(
  { telemetry, config, audit }: Foundation,
  { admitted, startSandbox }: Backends,
  capabilities: Capabilities,
): PluginHost {
  return createPluginHost({
    admitted,
    audit,
    telemetry,
    config,
    capabilities: capabilities.all,
    startSandbox,
    onReady(instance) {
      capabilities.settle(instance).catch((error: unknown) => {
        const { name: plugin } = instance.plugin;
        telemetry.logger.error({ err: error, plugin }, 'Cannot remove what an earlier process registered');
      });
    },
  });
}

function createRoutes({ config, parts }: Foundation, { admitted }: Backends): RouteTable {
  const outageOf = createAbsentPlugins({ admitted, config, status: () => parts.host?.status() ?? [] });
  return createRouteTable({ routesPerOwnerMax: config.httpRoutesPerPluginMax, outageOf });
}
