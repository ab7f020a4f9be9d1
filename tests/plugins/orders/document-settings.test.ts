import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readSettings, settingDefaults } from '../../../plugins/orders/settings.ts';

describe('settings of documents, proofs and bulk bookings', () => {
  const own = Object.entries(settingDefaults).filter(([variable]) => /^ORDERS_(DOCUMENT|PROOF|BULK)/.test(variable));

  it('take what the environment says, and the defaults otherwise', () => {
    const settings = readSettings({ ORDERS_DOCUMENTS_MAX: '3', ORDERS_BULKS_MAX: '' });
    assert.deepEqual([settings.documentsMax, settings.bulksMax], [3, 2]);
  });

  it('refuse what is not a whole number within its limits', () => {
    for (const [variable, { min, max }] of own) {
      for (const text of ['-1', '1.5', 'many', String(min - 1), String(max + 1)]) {
        assert.throws(() => readSettings({ [variable]: text }), {
          message: `${variable} must be a whole number from ${min} to ${max}: it is "${text}"`,
        });
      }
    }
  });

  it('stand with their defaults in the README', () => {
    assert.equal(own.length, 9);
    const readme = readFileSync(new URL('../../../plugins/orders/README.md', import.meta.url), 'utf8');
    for (const [variable, { fallback }] of own)
      assert.ok(readme.includes(`| \`${variable}\` | ${fallback} |`), variable);
  });
});
