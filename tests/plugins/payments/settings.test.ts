import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { cronDefaults, readSettings, settingDefaults } from '../../../plugins/payments/settings.ts';

describe('readSettings()', () => {
  it('takes what the environment says, and the defaults otherwise', () => {
    const settings = readSettings({ PAYMENTS_DRIVER_SHARE_PERCENT: '50', PAYMENTS_PAYOUT_CRON: '', OTHER: 'x' });
    assert.deepEqual(
      [settings.driverSharePercent, settings.payoutCron, settings.provider, settings.stripe],
      [50, '0 5 * * 1', 'sandbox', null],
    );
  });

  it('refuses what is not a whole number within its limits', () => {
    for (const text of ['-1', '1.5', 'many', '101', '1e3']) {
      assert.throws(() => readSettings({ PAYMENTS_DRIVER_SHARE_PERCENT: text }), {
        message: `PAYMENTS_DRIVER_SHARE_PERCENT must be a whole number from 0 to 100: it is "${text}"`,
      });
    }
  });

  it('has Stripe with its keys, several secrets of webhooks, and another host on the loopback alone', () => {
    const stripe = { PAYMENTS_PROVIDER: 'stripe', PAYMENTS_STRIPE_SECRET_KEY: 'sk_1' };
    const settings = readSettings({ ...stripe, PAYMENTS_STRIPE_WEBHOOK_SECRET: 'a, b,,' });
    assert.deepEqual(settings.stripe, { secretKey: 'sk_1', webhookSecrets: ['a', 'b'], apiBase: null });
    assert.equal(settings.provider, 'stripe');
    assert.throws(() => readSettings({ PAYMENTS_PROVIDER: 'stripe' }), /PAYMENTS_STRIPE_SECRET_KEY must be set/);
    assert.throws(() => readSettings({ PAYMENTS_PROVIDER: 'paypal' }), /must be sandbox or stripe: it is "paypal"/);
    for (const base of [
      'https://evil.example',
      'http://evil.example',
      'http://127.0.0.1.evil.example',
      'http://10.0.0.1',
      'x',
    ]) {
      assert.throws(() => readSettings({ ...stripe, PAYMENTS_STRIPE_API_BASE: base }), /address of the loopback/, base);
    }
    assert.equal(
      readSettings({ ...stripe, PAYMENTS_STRIPE_API_BASE: 'http://127.0.0.1:12' }).stripe?.apiBase?.port,
      '12',
    );
  });

  it('has each variable with its default in the README', () => {
    const readme = readFileSync(new URL('../../../plugins/payments/README.md', import.meta.url), 'utf8');
    for (const [variable, { fallback }] of Object.entries(settingDefaults)) {
      assert.ok(readme.includes(`| \`${variable}\` | ${fallback} |`), variable);
    }
    for (const [variable, cron] of Object.entries(cronDefaults)) {
      assert.ok(readme.includes(`| \`${variable}\` | \`${cron}\` |`), variable);
    }
    for (const variable of [
      'PAYMENTS_PROVIDER',
      'PAYMENTS_STRIPE_SECRET_KEY',
      'PAYMENTS_STRIPE_WEBHOOK_SECRET',
      'PAYMENTS_STRIPE_API_BASE',
    ]) {
      assert.ok(readme.includes(`| \`${variable}\` |`), variable);
    }
  });
});
