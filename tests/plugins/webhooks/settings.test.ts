import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readSettings, settingDefaults } from '../../../plugins/webhooks/settings.ts';

const key = Buffer.alloc(32, 7).toString('base64');

describe('readSettings()', () => {
  it('takes what the environment says, and the defaults otherwise', () => {
    const settings = readSettings({ WEBHOOKS_RETRY_HOURS: '2', WEBHOOKS_TIMEOUT_MS: '', OTHER: 'x' });
    assert.deepEqual([settings.retrySeconds, settings.timeoutMs, settings.allowHttp], [7200, 8000, false]);
    assert.deepEqual(settings.secretKeys, []);
  });

  it('takes several keys, the current one first', () => {
    const other = Buffer.alloc(32, 8).toString('base64');
    const { secretKeys } = readSettings({ WEBHOOKS_SECRET_KEY: `${key}, ${other}` });
    assert.deepEqual(
      secretKeys.map((each) => each[0]),
      [7, 8],
    );
  });

  it('refuses what is no key, without telling what it was', () => {
    for (const text of ['secret', key.slice(0, -4), `${key},`, `${key};${key}`, Buffer.alloc(16).toString('base64')]) {
      assert.throws(
        () => readSettings({ WEBHOOKS_SECRET_KEY: text }),
        (error: Error) => error instanceof RangeError && !error.message.includes(text),
      );
    }
  });

  it('refuses what is not a whole number within its limits, and more for one endpoint than for all', () => {
    for (const text of ['-1', '1.5', 'many', '1e3', '99999999999']) {
      assert.throws(() => readSettings({ WEBHOOKS_RETRY_HOURS: text }), {
        message: `WEBHOOKS_RETRY_HOURS must be a whole number from 1 to 168: it is "${text}"`,
      });
    }
    assert.throws(() => readSettings({ WEBHOOKS_CONCURRENCY: '2' }), {
      message: 'WEBHOOKS_ENDPOINT_CONCURRENCY must be at most WEBHOOKS_CONCURRENCY: it is 4, the other is 2',
    });
  });

  it('has each variable with its default in the README', () => {
    const readme = readFileSync(new URL('../../../plugins/webhooks/README.md', import.meta.url), 'utf8');
    for (const [variable, { fallback }] of Object.entries(settingDefaults)) {
      assert.ok(readme.includes(`| \`${variable}\` | ${fallback} |`), variable);
    }
    assert.ok(readme.includes('| `WEBHOOKS_SECRET_KEY` | |'));
  });
});
