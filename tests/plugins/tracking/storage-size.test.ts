import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { storeFixes } from '../../../plugins/tracking/store/fixes.ts';
import { driveMixed, fixSizeStatement, mixedFixes } from '../../support/mixed-drive.ts';
import { createPluginDatabase } from '../support/plugin-database.ts';

/** Of issue 3, with indexes, while the days are being written. */
const bytesMax = 120;

describe('a fix on disk', () => {
  it('takes less than 120 bytes with its index where the fixes of many drivers come mixed, some late', async () => {
    const data = await createPluginDatabase('tracking', 'orders');
    try {
      let stored = 0;
      for (const batch of driveMixed()) stored += (await storeFixes(data.db, batch)).stored;
      assert.equal(stored, mixedFixes);
      const { rows } = await data.db.query<{ fixes: number; total: number; heap: number }>(fixSizeStatement);
      const { fixes = 0, total = 0, heap = 0 } = rows[0] ?? {};
      assert.equal(fixes, mixedFixes);
      assert.ok(total / fixes < bytesMax, `${total / fixes} bytes a fix, ${heap / fixes} of them in the table`);
    } finally {
      await data.stop();
    }
  });
});
