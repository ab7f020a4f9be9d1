import type { PluginContext } from '#plugin-api';
import { createOsrm } from './osrm.ts';
import { createRouting, type Routing } from './routing.ts';
import type { Settings } from './settings.ts';

/** The routing engine that the operator has set up; undefined when there is none, or it may not be asked. */
export async function openRouting(
  ctx: PluginContext,
  settings: Pick<Settings, 'osrmUrl' | 'routeTimeoutMs' | 'routeCacheMs'>,
  now: () => number,
): Promise<Routing | undefined> {
  const { osrmUrl: url, routeTimeoutMs: timeoutMs, routeCacheMs: cacheMs } = settings;
  if (url === null) return undefined;
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const resource = `${url.hostname}:${port}`;
  if ((await ctx.permissions.query({ name: 'net', resource })) !== 'granted') {
    ctx.log.warn('times of arrival are estimated: TRACKING_OSRM_URL is set, and net access to it is not granted', {
      resource,
    });
    return undefined;
  }
  return createRouting(ctx, { engine: createOsrm({ url, timeoutMs }), cacheMs, now });
}
