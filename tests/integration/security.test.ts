/** Tokens, and one order that two parties see differently. Who may do what at all: access/access-matrix.test.ts. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import { loadSigningKey } from '#core/http/signing-key.ts';
import type { Api } from '../support/api-client.ts';
import { book, bookingAt, connectDriver, near, orderReached, placeOf, type Order } from '../support/journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';

const anOrderId = '01900000-0000-7000-8000-000000000000';

describe('who may do what', () => {
  let platform: TestPlatform;

  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform?.stop());

  it('refuses tokens that are expired, foreign, for another audience, unsigned or of no known role', async () => {
    const { privateKey, id } = await loadSigningKey(platform.dataDir);
    const foreign = await generateKeyPair('EdDSA');
    const nowSeconds = Math.floor(Date.now() / 1000);
    const claims = { iss: 'returnit', aud: 'returnit-api', sub: 'c', role: 'customer', exp: nowSeconds + 600 };
    const sign = (payload: JWTPayload, key = privateKey): Promise<string> =>
      new SignJWT(payload).setProtectedHeader({ alg: 'EdDSA', kid: id, typ: 'JWT' }).sign(key);
    const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const good = await sign(claims);
    assert.equal((await platform.anonymous(good).request('GET', '/orders')).status, 200);
    const { exp: _exp, ...endless } = claims;
    const bad: Readonly<Record<string, string>> = {
      expired: await sign({ ...claims, exp: nowSeconds - 60 }),
      foreign: await sign(claims, foreign.privateKey),
      audience: await sign({ ...claims, aud: 'another-api' }),
      issuer: await sign({ ...claims, iss: 'somebody' }),
      early: await sign({ ...claims, nbf: nowSeconds + 600 }),
      endless: await sign(endless),
      role: await sign({ ...claims, role: 'admin' }),
      roles: await sign({ ...claims, role: ['ops'] }),
      subject: await sign({ ...claims, sub: '' }),
      unsigned: `${encoded({ alg: 'none' })}.${encoded(claims)}.`,
      tampered: good.replace(/\.[^.]+\./, `.${encoded({ ...claims, role: 'ops' })}.`),
      garbage: 'abc',
      huge: 'a'.repeat(10_000),
    };
    for (const [name, token] of Object.entries(bad)) {
      const { status, body } = await platform.anonymous(token).request('GET', '/orders');
      assert.deepEqual([status, body.code], [401, 'UNAUTHENTICATED'], name);
      const live = await fetch(`${platform.app.addresses.api}/live/orders/${anOrderId}/position`, {
        headers: { authorization: `Bearer ${token}` },
      });
      assert.equal(live.status, 401, `${name} on the live stream`);
      await live.body?.cancel();
    }
  });

  it("shows and moves only one's own orders, and does not tell that others exist", async () => {
    const owner = await platform.as('customer', 'owner');
    const device = await connectDriver(platform, 'his-driver');
    await device.publish(near(placeOf(1), 1));
    await connectDriver(platform, 'another-driver').then((other) => other.close());
    const { orderId } = await book(owner, placeOf(1));
    await orderReached(owner, orderId, 'assigned');
    const before = await owner.ok<Order>('GET', `/orders/${orderId}`);
    const stranger = await platform.as('customer', 'stranger');
    const otherDriver = await platform.as('driver', 'another-driver');
    const partner = await platform.as('partner', 'owner');
    const attempts: readonly (readonly [Api, string, string])[] = [
      [stranger, 'GET', `/orders/${orderId}`],
      [stranger, 'GET', `/payments?orderId=${orderId}`],
      [stranger, 'GET', `/tracking/orders/${orderId}/position`],
      [partner, 'GET', `/orders/${orderId}`],
      [partner, 'GET', `/payments?orderId=${orderId}`],
      [otherDriver, 'GET', `/orders/${orderId}`],
      [otherDriver, 'GET', `/tracking/orders/${orderId}/position`],
      [otherDriver, 'GET', '/drivers/his-driver'],
      ...['start', 'arrive', 'pickup', 'deliver', 'complete'].map(
        (step) => [otherDriver, 'POST', `/orders/${orderId}/${step}`] as const,
      ),
    ];
    for (const [api, verb, path] of attempts) {
      const { status, body } = await api.request(verb, path);
      const missing = await api.request(verb, path.replace(orderId, anOrderId).replace('his-driver', 'nobody'));
      assert.deepEqual([status, missing.status], [404, 404], `${verb} ${path}`);
      assert.equal(body.code, missing.body.code, 'a stranger cannot tell it from one that does not exist');
    }
    for (const api of [stranger, partner]) {
      assert.equal((await api.request('POST', `/orders/${orderId}/cancel`, { body: {} })).status, 404);
      assert.equal((await api.request('PATCH', `/orders/${orderId}`, { body: { notes: 'x' } })).status, 404);
      const { pickupWindow } = bookingAt(placeOf(1));
      assert.equal(
        (await api.request('POST', `/orders/${orderId}/reschedule`, { body: { pickupWindow } })).status,
        404,
      );
      assert.deepEqual((await api.ok<{ orders: Order[] }>('GET', '/orders')).orders, []);
    }
    const shift = await otherDriver.request('POST', '/drivers/his-driver/shift', { body: { onShift: false } });
    assert.equal(shift.status, 404);
    assert.deepEqual(await owner.ok<Order>('GET', `/orders/${orderId}`), before);
    await device.close();
  });
});
