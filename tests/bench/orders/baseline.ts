import { Pool } from 'pg';
import type { Plugin } from '#plugin-api';
import { createAdapter, migrate, toEvent, type Sent } from '../../plugins/support/database-adapter.ts';
import { runPlugin, type RunningPlugin } from '../../plugins/support/plugin-context.ts';
import { startTestServer } from '../../support/test-server.ts';
import { cpuOfTree } from '../process-cpu.ts';
import { bookingNear, keepPositionsFresh, pluginSettings, putDriversOnShift } from './scene.ts';

const names = ['tracking', 'orders', 'payments', 'drivers', 'notifications', 'webhooks'] as const;
const connectionsPerPlugin = 8;

export interface Baseline {
  book(index: number): Promise<void>;
  /** Orders that have a driver. */
  readonly assigned: number;
  /** CPU time so far of its Postgres. */
  postgresCpuUs(): number;
  stop(): Promise<void>;
}

/**
 * The same transactions through `pg` alone: the plugins' statements on connections of this process, without HTTP, sandbox,
 * permissions, telemetry, outbox and queue, on a Postgres with the settings of the platform's. What a transaction has
 * published is handed to its subscribers at once.
 */
export async function startBaseline(drivers: number): Promise<Baseline> {
  const server = await startTestServer({ isDurable: true });
  const setup = new Pool({ connectionString: server.url, max: 1 });
  const pools = [setup];
  const plugins = new Map<string, RunningPlugin>();
  const underWay = new Set<Promise<void>>();
  let eventNumber = 0;
  let assigned = 0;
  let failure: Error | undefined;

  function handOver(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => void (failure ??= new Error('The baseline failed', { cause: error })))
      .finally(() => underWay.delete(tracked));
    underWay.add(tracked);
  }

  function dispatch({ kind, name, data, options }: Sent): void {
    if (name === 'order.assigned') assigned += 1;
    // What comes later is no part of the way.
    if (options?.startAfterSeconds !== undefined) return;
    for (const plugin of plugins.values()) {
      if (kind === 'job' && plugin.queues.includes(name)) handOver(plugin.work(name, data));
      if (kind === 'event' && plugin.wants(name, data))
        handOver(plugin.deliver(name, data, toEvent(name, data, `${(eventNumber += 1)}`).id));
    }
  }

  for (const name of names) await migrate(setup, name);
  for (const name of names) {
    const module = (await import(`../../../plugins/${name}/plugin.ts`)) as { readonly plugin: Plugin };
    const pool = new Pool({
      connectionString: server.url,
      max: connectionsPerPlugin,
      options: `-c search_path=${name}`,
    });
    pools.push(pool);
    const sent = { push: (...all: Sent[]) => (all.forEach(dispatch), 0) };
    plugins.set(name, await runPlugin(module.plugin, createAdapter(pool, sent), pluginSettings));
  }
  await putDriversOnShift(setup, drivers);
  const positions = keepPositionsFresh(setup);
  const orders = plugins.get('orders');

  return {
    async book(index) {
      const principal = { id: `customer-${index}`, role: 'customer' } as const;
      const reply = await orders?.request('POST /orders', { principal, body: bookingNear(index) });
      if (reply?.status !== 201) throw new Error(`The baseline answered ${JSON.stringify(reply)}`);
    },
    get assigned() {
      if (failure !== undefined) throw failure;
      return assigned;
    },
    postgresCpuUs: () => cpuOfTree(server.pid),
    async stop() {
      await positions.stop();
      await Promise.all(underWay);
      for (const pool of pools) await pool.end();
      await server.stop();
    },
  };
}
