import type { PluginContext } from '#plugin-api';
import { createCircuit } from './circuit.ts';
import type { RouteOptimiser } from './route-plan.ts';
import type { Settings } from './settings.ts';
import { createVroom } from './vroom.ts';

/** The optimiser that the operator has set up; undefined when there is none, or it may not be asked. */
export async function openOptimiser(
  ctx: PluginContext,
  { vroomUrl: url, vroomTimeoutMs: timeoutMs }: Pick<Settings, 'vroomUrl' | 'vroomTimeoutMs'>,
  now: () => number,
): Promise<RouteOptimiser | undefined> {
  if (url === null) return undefined;
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const resource = `${url.hostname}:${port}`;
  if ((await ctx.permissions.query({ name: 'net', resource })) !== 'granted') {
    ctx.log.warn('routes are planned here: DRIVERS_VROOM_URL is set, and net access to it is not granted', {
      resource,
    });
    return undefined;
  }
  return guard(ctx, createVroom({ url, timeoutMs }), now);
}

/** Counts what becomes of each question, and spares an optimiser that fails. */
export function guard(
  ctx: Pick<PluginContext, 'metrics'>,
  optimiser: RouteOptimiser,
  now: () => number,
): RouteOptimiser {
  const circuit = createCircuit({ now });
  const count = (outcome: string): void => ctx.metrics.increment('returnit_optimiser_requests_total', { outcome });
  return {
    name: optimiser.name,
    async order(problem) {
      if (!circuit.enter()) {
        count('skipped');
        return { kind: 'failed', reason: 'unreachable' };
      }
      const answer = await optimiser.order(problem);
      count(answer.kind === 'failed' ? answer.reason : 'ordered');
      // That it found a plan impossible is no failure of its own.
      if (answer.kind === 'failed' && answer.reason !== 'unassigned') circuit.failed();
      else circuit.succeeded();
      return answer;
    },
  };
}
