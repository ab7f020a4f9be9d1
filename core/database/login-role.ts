import type pg from 'pg';
import { quoteIdentifier } from './identifiers.ts';

/** The pool divides a node's connections; a role's limit only stops a password that leaked, so it allows for many nodes. */
export const nodesMax = 20;

export async function createRole(client: pg.PoolClient, role: string): Promise<void> {
  const found = await client.query({ text: 'select from pg_catalog.pg_roles where rolname = $1', values: [role] });
  if (found.rowCount !== 0) return;
  await client.query(`create role ${quoteIdentifier(role)} login noinherit`).catch((error: unknown) => {
    // Roles belong to the server, our lock to one database: a core on another database of it was faster.
    if (!['42710', '23505'].includes((error as { code?: string }).code ?? '')) throw error;
  });
}

/** Catalogue rows of the whole server that a core on another database updates at the same moment. */
export async function retryConcurrentUpdate(update: () => Promise<unknown>, attemptsLeft = 10): Promise<void> {
  try {
    await update();
  } catch (error) {
    if (attemptsLeft === 0 || !(error instanceof Error) || !error.message.includes('concurrently updated')) throw error;
    await retryConcurrentUpdate(update, attemptsLeft - 1);
  }
}
