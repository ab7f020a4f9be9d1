import { randomUUIDv7 } from 'node:crypto';
import type pg from 'pg';
import type { SendOptions } from '#plugin-api';
import { toDatabaseError } from '#core/database/database-error.ts';
import { currentTraceparent } from '#core/telemetry/tracing.ts';
import type { Seal } from './seal.ts';

export interface OutboxEntry {
  readonly plugin: string;
  readonly kind: 'event' | 'job';
  /** The event's or the queue's name. */
  readonly name: string;
  readonly data: object;
  readonly options?: SendOptions;
  /** @default a new one, a UUID of version 7 */
  readonly id?: string;
}

export interface Outbox {
  /**
   * Writes a sealed row on this connection: inside its open transaction, or alone on a pool.
   *
   * @returns the id of the event or the job
   * @throws {AppError} DATABASE_ERROR, for data that jsonb does not take (a zero character) among others
   */
  add(connection: Pick<pg.ClientBase, 'query'> | Pick<pg.Pool, 'query'>, entry: OutboxEntry): Promise<string>;
  /** To be called when the transaction of a row is over: this node's relay looks at once and not at its next poll. */
  wake(): void;
}

// No casts: the connection is the plugin's, and a cast would be looked up on the plugin's search path.
const addRow = 'select returnit.outbox_add($1, $2, $3, $4, $5, $6, $7, $8)';

export function createOutbox(seal: Seal, wake: () => void): Outbox {
  return {
    wake,
    async add(connection, { plugin, kind, name, data, options = {}, id = randomUUIDv7() }) {
      const fields = {
        id,
        plugin,
        kind,
        name,
        data: JSON.stringify(data),
        options: JSON.stringify(options),
        traceparent: currentTraceparent() ?? null,
      };
      const values = [id, plugin, kind, name, fields.data, fields.options, fields.traceparent, seal.sign(fields)];
      try {
        await connection.query(addRow, values);
      } catch (error) {
        throw toDatabaseError(error, 'outbox_add');
      }
      return id;
    },
  };
}
