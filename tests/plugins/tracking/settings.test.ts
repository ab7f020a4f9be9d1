import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readSettings, settingDefaults } from '../../../plugins/tracking/settings.ts';

describe('readSettings()', () => {
  it('takes what the environment says, and the defaults otherwise', () => {
    const settings = readSettings({ TRACKING_ACCURACY_MAX_M: '50', TRACKING_RETENTION_DAYS: '', OTHER: 'x' });
    assert.deepEqual([settings.accuracyMaxM, settings.retentionMs], [50, 30 * 86_400_000]);
  });

  it('refuses what is not a whole number within its limits', () => {
    for (const text of ['-1', '1.5', 'many', '0', '1e3', '99999999999']) {
      assert.throws(() => readSettings({ TRACKING_ACCURACY_MAX_M: text }), {
        message: `TRACKING_ACCURACY_MAX_M must be a whole number from 1 to 100000: it is "${text}"`,
      });
    }
  });

  it('has each variable with its default in the README', () => {
    const readme = readFileSync(new URL('../../../plugins/tracking/README.md', import.meta.url), 'utf8');
    for (const [variable, { fallback }] of Object.entries(settingDefaults)) {
      assert.ok(readme.includes(`| \`${variable}\` | ${fallback} |`), variable);
    }
  });
});
