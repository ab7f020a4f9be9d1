import type { Database, QueryCacheOptions, QueryResult, SqlValue, Statement, Transaction } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';

export function createDatabase(core: CoreConnection): Database {
  return Object.freeze({
    query: createQuery(core),
    async cached<Row>(
      { name, text }: Statement,
      values: readonly SqlValue[],
      cache: QueryCacheOptions,
    ): Promise<QueryResult<Row>> {
      const result = await core.call('db.query', { statement: { name, text }, values, cache });
      return result as QueryResult<Row>;
    },
    async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
      const { tx } = await core.call('db.begin', {});
      let result: T;
      try {
        result = await work(createTransaction(core, tx));
      } catch (error) {
        // What `work` threw is what matters; a transaction that cannot be rolled back is gone already.
        await core.call('db.rollback', { tx }).catch(() => {});
        throw error;
      }
      await core.call('db.commit', { tx });
      return result;
    },
  });
}

/** An open transaction of the core, as the plugin uses it. Who opened it ends it. */
export function createTransaction(core: CoreConnection, tx: string): Transaction {
  return Object.freeze({
    query: createQuery(core, tx),
    events: Object.freeze({
      publish: async (event: string, data: object) => void (await core.call('events.publish', { event, data, tx })),
    }),
    jobs: Object.freeze({
      send: async (queue: string, data: object, options: object = {}) =>
        void (await core.call('jobs.send', { queue, data, options, tx })),
    }),
  });
}

function createQuery(core: CoreConnection, tx?: string): Database['query'] {
  const inTransaction = tx === undefined ? {} : { tx };
  return async <Row>({ name, text }: Statement, values: readonly SqlValue[] = []): Promise<QueryResult<Row>> => {
    const result = await core.call('db.query', { statement: { name, text }, values, ...inTransaction });
    return result as QueryResult<Row>;
  };
}
