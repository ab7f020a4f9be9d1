import type pg from 'pg';

/** Runs `work` in a transaction that only reads, with a limit to each statement: to look at queues must not hold them up. */
export async function readOnly<T>(
  pool: pg.Pool,
  { statementTimeoutMs }: { readonly statementTimeoutMs: number },
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin read only');
    await client.query(`set local statement_timeout = ${statementTimeoutMs}`);
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((rollbackError: unknown) => (broken = rollbackError as Error));
    throw error;
  } finally {
    client.release(broken);
  }
}
