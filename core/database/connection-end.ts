import type pg from 'pg';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { Pool } from './pool.ts';

export interface EndConnectionOptions {
  readonly admin: Pool;
  readonly telemetry: Telemetry;
}

/**
 * Ends a connection that may be in the middle of a statement, and the statement with it. Closing the socket alone would
 * leave it running on the server until it has something to send; and a cancellation can be caught by the statement
 * (`exception when query_canceled`), while a termination cannot. The core's role may do this: it is a superuser, or a
 * member of the plugin's role.
 */
export async function endConnection(client: pg.PoolClient, { admin, telemetry }: EndConnectionOptions): Promise<void> {
  const { processID } = client as pg.PoolClient & { readonly processID?: number };
  try {
    // While the socket is open the backend cannot have gone, so the number is not another's yet.
    if (typeof processID === 'number') {
      await admin.query({ text: 'select pg_catalog.pg_terminate_backend($1)', values: [processID] });
    }
  } catch (error) {
    // The server's own statement_timeout ends it then.
    telemetry.logger
      .child({ component: 'database' })
      .warn({ err: error }, 'Statement could not be ended on the server');
  } finally {
    client.release(true);
  }
}
