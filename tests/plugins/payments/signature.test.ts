import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import Stripe from 'stripe';
import { sign, verifySignature } from '../../../plugins/payments/webhooks/signature.ts';

const nowMs = Date.parse('2026-05-04T08:00:00.000Z');
const secret = 'whsec_1';
const body = '{"id":"evt_1","note":"ü"}';
const check = (changes: Partial<Parameters<typeof verifySignature>[0]> = {}) =>
  verifySignature({
    body,
    header: sign(body, { secret, atMs: nowMs }),
    secrets: [secret],
    nowMs,
    toleranceSeconds: 300,
    ...changes,
  });

describe('verifySignature()', () => {
  it("takes what Stripe's library signs, and signs what it takes", () => {
    const timestamp = Math.floor(nowMs / 1000);
    const header = Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp });
    assert.equal(check({ header }), 'valid');
    const ours = sign(body, { secret, atMs: Date.now() });
    const { id } = Stripe.webhooks.constructEvent(body, ours, secret);
    assert.equal(id, 'evt_1');
  });

  it('takes any of several secrets, and any of several signatures, so that secrets can be rotated', () => {
    assert.equal(check({ secrets: ['whsec_new', secret] }), 'valid');
    const both = `${sign(body, { secret: 'whsec_old', atMs: nowMs })},v1=${sign(body, { secret, atMs: nowMs }).split('v1=')[1]}`;
    assert.equal(check({ header: both }), 'valid');
    assert.equal(check({ secrets: ['whsec_other'] }), 'wrong');
    assert.equal(check({ secrets: [] }), 'wrong');
  });

  it('keeps to the tolerance, in both directions', () => {
    const at = (seconds: number) => check({ header: sign(body, { secret, atMs: nowMs + seconds * 1000 }) });
    assert.deepEqual([-301, -300, 0, 300, 301].map(at), ['too_old', 'valid', 'valid', 'valid', 'too_old']);
  });

  it('refuses a changed body, a changed time and what is no signature', () => {
    assert.equal(check({ body: `${body} ` }), 'wrong');
    const [, signature] = sign(body, { secret, atMs: nowMs }).split(',');
    assert.equal(check({ header: `t=${Math.floor(nowMs / 1000) - 1},${signature}` }), 'wrong');
    assert.equal(check({ header: undefined }), 'missing');
    for (const header of [
      'v1=ab',
      't=1',
      `t=x,${signature}`,
      't=1,v0=00',
      'x'.repeat(5000),
      `t=1${',v1='.repeat(99)}`,
    ]) {
      assert.equal(check({ header }), 'malformed', header.slice(0, 40));
    }
  });

  it('takes no header that was not made with the secret', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ maxLength: 200 }), (text, header) => {
        assert.notEqual(check({ body: text, header }), 'valid');
        assert.notEqual(check({ body: text, header: `t=${Math.floor(nowMs / 1000)},v1=${header}` }), 'valid');
      }),
    );
  });
});
