import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readSettings, settingDefaults } from '../../../plugins/drivers/settings.ts';

describe('readSettings()', () => {
  it('takes what the environment says, and the defaults otherwise', () => {
    const settings = readSettings({
      DRIVERS_OFFERS_AT_ONCE: '4',
      DRIVERS_OFFER_SECONDS: '',
      DRIVERS_DOCUMENTS_REQUIRED: ' licence,insurance ',
      DRIVERS_VROOM_URL: 'https://vroom.example/api',
    });
    assert.deepEqual([settings.offersAtOnce, settings.offerSeconds], [4, 30]);
    assert.deepEqual(settings.documentsRequired, ['licence', 'insurance']);
    assert.equal(settings.vroomUrl?.hostname, 'vroom.example');
    assert.deepEqual([readSettings({}).documentsRequired, readSettings({}).vroomUrl], [[], null]);
  });

  it('refuses what is not a whole number within its limits, no URL, or no kind of document', () => {
    for (const text of ['-1', '1.5', 'many', '0', '501', '1e2']) {
      assert.throws(() => readSettings({ DRIVERS_OFFERS_AT_ONCE: text }), {
        message: `DRIVERS_OFFERS_AT_ONCE must be a whole number from 1 to 500: it is "${text}"`,
      });
    }
    for (const url of ['vroom', 'ftp://vroom.example', 'https://user:secret@vroom.example']) {
      assert.throws(() => readSettings({ DRIVERS_VROOM_URL: url }), /must be a URL that begins with http/);
    }
    assert.throws(() => readSettings({ DRIVERS_DOCUMENTS_REQUIRED: 'licence,passport' }), /it has "passport"/);
  });

  it('has each variable with its default in the README', () => {
    const readme = readFileSync(new URL('../../../plugins/drivers/README.md', import.meta.url), 'utf8');
    for (const [variable, { fallback }] of Object.entries(settingDefaults)) {
      assert.ok(readme.includes(`| \`${variable}\` | ${fallback} |`), variable);
    }
    for (const variable of ['DRIVERS_DOCUMENTS_REQUIRED', 'DRIVERS_VROOM_URL']) {
      assert.ok(readme.includes(`| \`${variable}\` | |`), variable);
    }
  });
});
