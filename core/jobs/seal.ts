/**
 * A plugin's role may call `returnit.outbox_add()`, so a row there proves nothing about who checked it. The seal does:
 * only the core knows its key, and only after invoke() has checked the permission does it seal a row.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type pg from 'pg';
import { AppError } from '#core/errors/app-error.ts';

export interface SealedFields {
  readonly id: string;
  readonly plugin: string;
  readonly kind: string;
  readonly name: string;
  readonly data: string;
  readonly options: string;
  readonly traceparent: string | null;
}

export interface Seal {
  sign(fields: SealedFields): Buffer;
  verify(fields: SealedFields, seal: Buffer): boolean;
}

export function createSeal(key: Buffer): Seal {
  const sign = ({ id, plugin, kind, name, data, options, traceparent }: SealedFields): Buffer =>
    // A JSON array cannot be read in two ways, as fields put end to end could.
    createHmac('sha256', key)
      .update(JSON.stringify([id, plugin, kind, name, data, options, traceparent]))
      .digest();
  return {
    sign,
    verify(fields, seal) {
      const expected = sign(fields);
      return seal.length === expected.length && timingSafeEqual(seal, expected);
    },
  };
}

/** The key that all nodes on this database share. */
export async function loadSeal(pool: pg.Pool): Promise<Seal> {
  const { rows } = await pool.query<{ key: Buffer }>('select key from returnit.seal_key');
  const key = rows[0]?.key;
  if (key === undefined || key.length < 32) {
    throw new AppError('DATABASE_ERROR', 'Cannot load the seal of the outbox: returnit.seal_key holds no key');
  }
  return createSeal(key);
}
