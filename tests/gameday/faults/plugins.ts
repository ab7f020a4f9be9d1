/** What a plugin does wrong. */
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../support/until.ts';
import type { Fault } from '../fault.ts';
import type { System } from '../system.ts';

const saboteur = { plugin: 'saboteur', service: 'saboteur' };

/** As ops see it: a request to it that fails is a fault of its own. */
async function stateOf({ ops }: System): Promise<string | undefined> {
  const { plugins } = await ops.ok<{ plugins: { name: string; state: string }[] }>('GET', '/plugins');
  return plugins.find(({ name }) => name === 'saboteur')?.state;
}

export const untilSaboteurIsReady = (system: System): Promise<unknown> =>
  until('the saboteur is ready', async () => (await stateOf(system)) === 'ready');

/** As often, each time that it is ready again. */
async function crash(system: System, times: number): Promise<void> {
  for (let count = 0; count < times; count += 1) {
    await untilSaboteurIsReady(system);
    await system.sabotage('crash');
    await until('it is gone', async () => (await stateOf(system)) !== 'ready');
  }
}

export const pluginFaults: readonly Fault[] = [
  {
    name: 'denied-plugin',
    what: 'A plugin reaches for a host that it was not granted',
    expects: [{ alert: 'PluginDenied', labels: { ...saboteur, capability: 'net.fetch' } }],
    async inject({ caller }) {
      const load = caller.keep(() => caller.post('/saboteur/deny', { amount: 1 }), { perSecond: 1, callers: 1 });
      return () => load.stop();
    },
  },
  {
    name: 'crash-loop',
    what: 'A plugin crashes again and again',
    needs: { environment: { PLUGIN_QUARANTINE_DEATHS: '100' } },
    expects: [{ alert: 'PluginCrashLoop', labels: saboteur }],
    async inject(system) {
      await crash(system, 4);
      return async () => void (await untilSaboteurIsReady(system));
    },
  },
  {
    name: 'quarantine',
    what: 'A plugin crashes until it is not started any more',
    expects: [{ alert: 'PluginQuarantined', labels: saboteur }],
    consequences: [{ alert: 'PluginCrashLoop', because: 'it died three times before' }],
    recoverySeconds: 40,
    async inject(system) {
      await crash(system, 3);
      return () => system.ops.ok<void>('POST', '/plugins/saboteur/release');
    },
  },
  {
    name: 'plugin-cpu-burn',
    what: 'A plugin computes without a pause, just short of a loop',
    expects: [{ alert: 'PluginLoopSaturated', labels: saboteur }],
    async inject(system) {
      await system.sabotage('burn');
      return () => system.sabotage('crash');
    },
  },
  {
    name: 'plugin-heap-leak',
    what: 'A plugin keeps what it is sent, until its heap is nearly full',
    expects: [{ alert: 'PluginHeapNearLimit', labels: saboteur }],
    leadSeconds: 60,
    async inject(system) {
      const ratio = 'returnit_plugin_heap_used_bytes{plugin="saboteur"} / returnit_plugin_heap_limit_bytes';
      const isNearlyFull = async (): Promise<boolean> => {
        const [used = 0] = await system.monitoring.query(ratio);
        if (used > 0.88) return true;
        await system.sabotage('leak', used > 0.8 ? 2 : used > 0.6 ? 10 : 60);
        // Two of its samples.
        await delay(2000);
        return false;
      };
      await until('its heap is nearly full', isNearlyFull, 120_000);
      return () => system.sabotage('crash');
    },
  },
  {
    name: 'repeats-failing',
    what: 'A plugin fails each time at what it repeats',
    expects: [{ alert: 'RepeatedWorkFailing', labels: { ...saboteur, name: 'look' } }],
    async inject(system) {
      await system.sabotage('spoil', 1);
      return () => system.sabotage('spoil', 0);
    },
  },
];
