import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { createSecretBox } from '../../../plugins/webhooks/secret-box.ts';
import { createSecret, signatureHeaders } from '../../../plugins/webhooks/signature.ts';

const key = (byte: number): Buffer => Buffer.alloc(32, byte);

describe('createSecretBox()', () => {
  it('opens what it sealed, for the same endpoint alone', () => {
    const box = createSecretBox([key(1)]);
    const sealed = box.seal('whsec_abc', 'endpoint-1');
    assert.equal(box.open(sealed, 'endpoint-1'), 'whsec_abc');
    assert.throws(() => box.open(sealed, 'endpoint-2'));
    assert.notEqual(box.seal('whsec_abc', 'endpoint-1'), sealed);
    assert.ok(!sealed.includes('abc') && sealed.startsWith(box.currentPrefix));
  });

  it('opens with a key that is no longer the current one, and with no other', () => {
    const sealed = createSecretBox([key(1)]).seal('whsec_abc', 'e');
    assert.equal(createSecretBox([key(2), key(1)]).open(sealed, 'e'), 'whsec_abc');
    assert.throws(() => createSecretBox([key(2)]).open(sealed, 'e'), {
      message: 'Cannot open a secret: its key is not in WEBHOOKS_SECRET_KEY',
    });
    assert.throws(() => createSecretBox([]).seal('whsec_abc', 'e'), /has no key$/);
    assert.deepEqual([createSecretBox([]).usable, createSecretBox([key(1)]).usable], [false, true]);
  });

  it('does not open what was changed', () => {
    const box = createSecretBox([key(1)]);
    const sealed = box.seal('whsec_abc', 'e');
    for (let at = box.currentPrefix.length; at < sealed.length; at += 1) {
      const other = sealed[at] === 'A' ? 'B' : 'A';
      const changed = sealed.slice(0, at) + other + sealed.slice(at + 1);
      // The last character has bits that mean nothing.
      if (
        Buffer.from(changed.slice(box.currentPrefix.length), 'base64url').equals(
          Buffer.from(sealed.slice(box.currentPrefix.length), 'base64url'),
        )
      )
        continue;
      assert.throws(() => box.open(changed, 'e'), `at ${at}`);
    }
  });
});

describe('signatureHeaders()', () => {
  const body = JSON.stringify({ type: 'order.created', timestamp: 'now', data: { name: 'grüße' } });

  it('is verified by the library of the specification with each of the secrets', () => {
    const secrets = [createSecret(), createSecret()];
    const headers = signatureHeaders({ messageId: 'msg_1', body, secrets, at: new Date() });
    for (const secret of secrets) {
      assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
      assert.deepEqual(new Webhook(secret).verify(body, { ...headers }), JSON.parse(body));
      assert.throws(() => new Webhook(secret).verify(`${body} `, { ...headers }));
    }
    assert.throws(() => new Webhook(createSecret()).verify(body, { ...headers }));
  });

  it('gives the signature that the specification gives as its example', () => {
    // https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    const headers = signatureHeaders({
      messageId: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      body: '{"test": 2432232314}',
      secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
      at: new Date(1_614_265_330_000),
    });
    assert.deepEqual(headers, {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });
});
