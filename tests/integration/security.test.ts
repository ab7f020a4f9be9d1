import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import type { Role } from '#plugin-api';
import { loadSigningKey } from '#core/http/signing-key.ts';
import type { Api } from '../support/api-client.ts';
import { book, bookingAt, connectDriver, near, orderReached, placeOf, type Order } from '../support/journey.ts';
import type { Operation } from '../support/openapi-check.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';

const roles = ['customer', 'driver', 'partner', 'ops'] as const satisfies readonly Role[];
const anOrderId = '01900000-0000-7000-8000-000000000000';
const pathValues: Readonly<Record<string, string>> = { orderId: anOrderId, driverId: 'd', deviceId: 'd', name: 'x' };

describe('who may do what', () => {
  let platform: TestPlatform;
  let operations: readonly { readonly verb: string; readonly path: string; readonly operation: Operation }[];

  before(async () => {
    platform = await startPlatform();
    const { paths } = await platform.openApi();
    operations = Object.entries(paths).flatMap(([template, verbs]) =>
      Object.entries(verbs).map(([verb, operation]) => ({
        verb: verb.toUpperCase(),
        path: template.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => pathValues[name] ?? 'x'),
        operation,
      })),
    );
  });
  after(() => platform?.stop());

  const forDevices = () => operations.filter(({ operation }) => operation['x-roles'].includes('device'));
  const restricted = () =>
    operations.filter((each) => !each.operation['x-roles'].includes('public') && !forDevices().includes(each));

  it('is said of every operation, and only descriptions and keys are public', () => {
    assert.ok(restricted().length >= 18);
    const open = operations.filter(({ operation }) => operation['x-roles'].includes('public'));
    assert.deepEqual(open.map(({ verb, path }) => `${verb} ${path}`).sort(), [
      'GET /.well-known/jwks.json',
      'GET /docs',
      'GET /openapi.json',
      'GET /problems/x',
    ]);
  });

  it('answers 401 without a token, and 403 to every role that is not named', async () => {
    const callers = await Promise.all(roles.map(async (role) => ({ role, api: await platform.as(role, 'somebody') })));
    for (const { verb, path, operation } of restricted()) {
      const anonymous = await platform.anonymous().request(verb, path);
      assert.deepEqual([anonymous.status, anonymous.body.code], [401, 'UNAUTHENTICATED'], `${verb} ${path}`);
      assert.match(anonymous.headers.get('www-authenticate') ?? '', /^Bearer /);
      for (const { role, api } of callers) {
        const { status, body } = await api.request(verb, path);
        // The plugin itself may still refuse, with a code of its own: another driver's history, say.
        const isAdmitted = status !== 401 && body.code !== 'FORBIDDEN';
        if (operation['x-roles'].includes(role)) assert.ok(isAdmitted, `${role} ${verb} ${path}`);
        else assert.deepEqual([status, body.code], [403, 'FORBIDDEN'], `${role} ${verb} ${path}`);
      }
    }
  });

  it("answers 401 to everybody without a device's credentials where devices report", async () => {
    assert.ok(forDevices().length >= 3);
    const callers = await Promise.all(roles.map((role) => platform.as(role, 'somebody')));
    for (const { verb, path } of forDevices()) {
      for (const api of [platform.anonymous(), ...callers]) {
        const answer = await api.request(verb, path);
        assert.deepEqual([answer.status, answer.body.code], [401, 'UNAUTHENTICATED'], `${verb} ${path}`);
        assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic /);
      }
    }
  });

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
      ...['start', 'pickup', 'deliver', 'complete'].map(
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
      assert.deepEqual((await api.ok<{ orders: Order[] }>('GET', '/orders')).orders, []);
    }
    const shift = await otherDriver.request('POST', '/drivers/his-driver/shift', { body: { onShift: false } });
    assert.equal(shift.status, 404);
    assert.deepEqual(await owner.ok<Order>('GET', `/orders/${orderId}`), before);
    await device.close();
  });
});

describe('bad requests', () => {
  let platform: TestPlatform;
  let ops: Api;
  let customer: Api;

  before(async () => {
    platform = await startPlatform();
    ops = await platform.as('ops', 'o');
    customer = await platform.as('customer', 'c');
  });
  after(() => platform?.stop());

  const bookingWith = (change: (booking: Record<string, never>) => void): Record<string, unknown> => {
    const booking = structuredClone(bookingAt(placeOf(2)));
    change(booking as Record<string, never>);
    return booking;
  };
  const text = JSON.stringify(bookingAt(placeOf(2)));

  const refused: readonly (readonly [
    name: string,
    request: () => Parameters<Api['request']>[2],
    status: number,
    code: string,
  ])[] = [
    ['no JSON', () => ({ raw: '{"pickup": ' }), 400, 'MALFORMED_JSON'],
    ['not a number', () => ({ raw: text.replace(/"lat":[^,]+/, '"lat":NaN') }), 400, 'MALFORMED_JSON'],
    [
      'a number beyond all numbers',
      () => ({ raw: text.replace(/"lat":[^,}]+/, '"lat":1e999') }),
      422,
      'VALIDATION_FAILED',
    ],
    ['text for a number', () => ({ raw: text.replace(/"lat":([^,}]+)/, '"lat":"$1"') }), 422, 'VALIDATION_FAILED'],
    [
      'a latitude out of range',
      () => ({ raw: text.replace(/"lat":[^,}]+/, '"lat":90.0001') }),
      422,
      'VALIDATION_FAILED',
    ],
    [
      'a longitude out of range',
      () => ({ raw: text.replace(/"lon":[^,}]+/, '"lon":-180.5') }),
      422,
      'VALIDATION_FAILED',
    ],
    [
      '0, 0',
      () => ({ raw: text.replace(/"lat":[^,}]+,"lon":[^,}]+/, '"lat":0,"lon":0') }),
      422,
      'ORDER_ADDRESS_INVALID',
    ],
    [
      'an unknown field',
      () => ({ body: bookingWith((b) => Object.assign(b, { discount: 1 })) }),
      422,
      'VALIDATION_FAILED',
    ],
    [
      'a polluted prototype',
      () => ({ raw: text.replace('{', '{"__proto__":{"admin":true},') }),
      422,
      'VALIDATION_FAILED',
    ],
    ['no items', () => ({ body: bookingWith((b) => Object.assign(b, { items: [] })) }), 422, 'VALIDATION_FAILED'],
    ['a NUL', () => ({ raw: text.replace('Springfield', String.raw`Spring\u0000field`) }), 422, 'VALIDATION_FAILED'],
    [
      'half a character',
      () => ({ raw: text.replace('Springfield', String.raw`Spring\ud800field`) }),
      400,
      'MALFORMED_JSON',
    ],
    [
      'a window in the past',
      () => ({
        body: bookingWith((b) =>
          Object.assign(b, { pickupWindow: { start: '2020-01-01T08:00:00Z', end: '2020-01-01T09:00:00Z' } }),
        ),
      }),
      422,
      'ORDER_WINDOW_INVALID',
    ],
    [
      "another's order",
      () => ({ body: bookingWith((b) => Object.assign(b, { customerId: 'other' })) }),
      422,
      'ORDER_CUSTOMER_INVALID',
    ],
    ['an array', () => ({ raw: '[]' }), 422, 'VALIDATION_FAILED'],
    ['nothing', () => ({}), 422, 'VALIDATION_FAILED'],
    ['a form', () => ({ raw: text, headers: { 'content-type': 'text/plain' } }), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    [
      'a compressed body',
      () => ({ raw: text, headers: { 'content-encoding': 'gzip' } }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['a body over the limit', () => ({ raw: `{"pickup":"${'x'.repeat(1_100_000)}"}` }), 413, 'BODY_TOO_LARGE'],
    ['JSON as deep as a well', () => ({ raw: '['.repeat(100_000) }), 400, 'MALFORMED_JSON'],
  ];

  it('are answered by their problem and change nothing', async () => {
    const everything = async (): Promise<unknown> => [
      await ops.ok('GET', '/orders?limit=100'),
      await ops.ok('GET', '/drivers?limit=100'),
    ];
    const before = await everything();
    const answers = [];
    for (const [name, request] of refused) {
      const { status, body } = await customer.request('POST', '/orders', request());
      answers.push([name, status, body.code]);
      assert.ok((body.detail ?? '').length > 10, name);
      assert.match(body.trace_id, /^[0-9a-f]{32}$/);
    }
    assert.deepEqual(
      answers,
      refused.map(([name, , status, code]) => [name, status, code]),
    );
    for (const [path, status] of [
      ['/orders?limit=0', 422],
      ['/orders?limit=many', 422],
      ['/orders?limit=1&limit=2', 422],
      ['/orders?nonsense=1', 422],
      ['/orders?status=lost', 422],
      ['/orders?cursor=abc', 400],
      ['/orders/not-a-uuid', 422],
      ['/orders/%zz', 400],
      [`/orders?cursor=${'a'.repeat(5000)}`, 400],
    ] as const) {
      assert.equal((await customer.request('GET', path)).status, status, path);
    }
    const driver = { name: 'A', vehicle: 'van' };
    for (const body of [
      { ...driver, driverId: 'a/b' },
      { ...driver, driverId: '+' },
      { ...driver, vehicle: 'tank' },
      { name: 7 },
    ]) {
      assert.equal((await ops.request('POST', '/drivers', { body })).status, 422, JSON.stringify(body));
    }
    assert.deepEqual(await everything(), before);
  });

  it('of no known path or method are problems as well', async () => {
    const { api: url } = platform.app.addresses;
    for (const [verb, path, status, code] of [
      ['GET', '/nothing', 404, 'NOT_FOUND'],
      ['GET', '/orders/', 404, 'NOT_FOUND'],
      ['GET', '/../etc/passwd', 404, 'NOT_FOUND'],
      ['DELETE', '/orders', 405, 'METHOD_NOT_ALLOWED'],
    ] as const) {
      const response = await fetch(`${url}${path}`, {
        method: verb,
        headers: { authorization: `Bearer ${customer.token}` },
      });
      assert.deepEqual(
        [response.status, response.headers.get('content-type')],
        [status, 'application/problem+json'],
        path,
      );
      assert.equal(((await response.json()) as { code: string }).code, code);
      if (status === 405) assert.match(response.headers.get('allow') ?? '', /GET.*POST/);
    }
  });
});
