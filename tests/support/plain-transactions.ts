import type pg from 'pg';
import type { Database } from '#core/database/database.ts';
import type { Transactions } from '#core/database/transactions.ts';

/** Open transactions of plugins, without deadlines and budgets. */
export function createTransactions({ database }: { database: Database }): Transactions {
  const open = new Map<string, pg.PoolClient>();
  let count = 0;
  const take = (tx: string): pg.PoolClient => {
    const client = open.get(tx);
    if (client === undefined) throw new Error(`no transaction ${tx}`);
    return client;
  };
  const finish = async (tx: string, text: string) => {
    const client = take(tx);
    open.delete(tx);
    await client.query(text);
    client.release();
  };
  return {
    async begin(instance) {
      const client = await database.pluginPool(instance.plugin.name).connect();
      await client.query('begin');
      count += 1;
      open.set(`tx${count}`, client);
      return `tx${count}`;
    },
    use: (_instance, tx, work) => work(take(tx)),
    commit: (_instance, tx) => finish(tx, 'commit'),
    rollback: async (_instance, tx) => {
      if (open.has(tx)) await finish(tx, 'rollback');
    },
    async stop() {
      for (const tx of open.keys()) await finish(tx, 'rollback');
    },
  };
}
