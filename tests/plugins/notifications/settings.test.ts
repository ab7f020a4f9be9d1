import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { textDefaults } from '../../../plugins/notifications/settings-text.ts';
import { readSettings, settingDefaults } from '../../../plugins/notifications/settings.ts';

describe('readSettings()', () => {
  it('takes what the environment says, and the defaults otherwise', () => {
    const settings = readSettings({
      NOTIFICATIONS_ATTEMPTS_MAX: '3',
      NOTIFICATIONS_RETENTION_DAYS: '',
      NOTIFICATIONS_SMS_URL: 'https://sms.example/messages',
      NOTIFICATIONS_SMS_TOKEN: 'token',
      NOTIFICATIONS_LOCALE: 'de-at',
      OTHER: 'x',
    });
    assert.deepEqual([settings.attemptsMax, settings.retentionMs, settings.locale], [3, 90 * 86_400_000, 'de-AT']);
    assert.deepEqual([settings.sms?.url.href, settings.sms?.token], ['https://sms.example/messages', 'token']);
    assert.equal(settings.push, null);
    assert.ok(settings.urgent.has('order.arrived'));
    assert.equal(readSettings({ NOTIFICATIONS_URGENT: 'none' }).urgent.size, 0);
  });

  it('refuses what is not a whole number within its limits', () => {
    for (const text of ['-1', '1.5', 'many', '0', '1e3', '51']) {
      assert.throws(() => readSettings({ NOTIFICATIONS_ATTEMPTS_MAX: text }), {
        message: `NOTIFICATIONS_ATTEMPTS_MAX must be a whole number from 1 to 50: it is "${text}"`,
      });
    }
  });

  it('refuses what cannot be right, and shows no password', () => {
    const wrong: readonly (readonly [Record<string, string>, RegExp])[] = [
      [{ NOTIFICATIONS_SMS_URL: 'http://sms.example/?key=hidden' }, /_SMS_URL must begin with https/],
      [{ NOTIFICATIONS_PUSH_URL: 'https://u:hidden@push.example' }, /_PUSH_URL must/],
      [{ NOTIFICATIONS_SMS_URL: 'https://s.example', NOTIFICATIONS_SMS_TOKEN: 'hidden\r\nX: y' }, /_SMS_TOKEN must be/],
      [{ NOTIFICATIONS_SMS_URL: 'https://s.example', NOTIFICATIONS_SMS_SECRET: 'hidden' }, /_SMS_SECRET must be/],
      [{ NOTIFICATIONS_ORDER_URL: 'https://app.example/orders' }, /_ORDER_URL must be/],
      [{ NOTIFICATIONS_ORDER_URL: 'javascript:{orderId}' }, /_ORDER_URL must be/],
      [{ NOTIFICATIONS_LOCALE: '!' }, /_LOCALE must be/],
      [{ NOTIFICATIONS_TIME_ZONE: 'Mars' }, /_TIME_ZONE must be/],
      [
        { NOTIFICATIONS_SENDING_SECONDS: '8' },
        /_SENDING_SECONDS must be longer than NOTIFICATIONS_PROVIDER_TIMEOUT_MS/,
      ],
      [{ NOTIFICATIONS_URGENT: 'order.lost' }, /it has "order\.lost"/],
    ];
    for (const [environment, message] of wrong) {
      assert.throws(
        () => readSettings(environment),
        (error: Error) => {
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /hidden/);
          return error instanceof RangeError;
        },
      );
    }
  });

  it('has each variable with its default in the README', () => {
    const readme = readFileSync(new URL('../../../plugins/notifications/README.md', import.meta.url), 'utf8');
    for (const [variable, { fallback }] of Object.entries(settingDefaults)) {
      assert.ok(readme.includes(`| \`${variable}\` | ${fallback} |`), variable);
    }
    for (const [variable, fallback] of Object.entries(textDefaults)) {
      assert.ok(readme.includes(`| \`${variable}\` | ${fallback === '' ? '-' : `\`${fallback}\``} |`), variable);
    }
  });
});
