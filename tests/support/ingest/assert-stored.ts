import assert from 'node:assert/strict';
import type { EmbeddedDatabase } from './embedded-database.ts';
import type { FixNumbers } from './fix-number.ts';

export interface StoredCheck {
  readonly database: EmbeddedDatabase;
  readonly numbers: FixNumbers;
  readonly acknowledged: readonly number[];
}

/** Every acknowledged fix is stored, and no fix at all, acknowledged or not, more than once. */
export async function assertStoredOnce({ database, numbers, acknowledged }: StoredCheck): Promise<void> {
  assert.ok(acknowledged.length > 0, 'fixes were acknowledged');
  const stored = await database.countByTime();
  const twice = [...stored].filter(([, count]) => count > 1).map(([ms]) => ms - numbers.baseMs);
  const lost = acknowledged.filter((number) => !stored.has(numbers.baseMs + number));
  assert.deepEqual({ lost: lost.slice(0, 20), twice: twice.slice(0, 20) }, { lost: [], twice: [] });
}
