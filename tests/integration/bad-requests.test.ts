import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Api } from '../support/api-client.ts';
import { bookingAt, placeOf } from '../support/journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';

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
    ['no parcels', () => ({ body: bookingWith((b) => Object.assign(b, { parcels: [] })) }), 422, 'VALIDATION_FAILED'],
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
      ['/orders/a%00b', 400],
      ['/orders?cursor=a%00b', 400],
      [`/orders?cursor=${'a'.repeat(5000)}`, 400],
    ] as const) {
      assert.equal((await customer.request('GET', path)).status, status, path);
    }
    // Of these routes the schema takes any text.
    for (const path of ['/payments/balance?driverId=a%00b', '/notifications/preferences/driver/a%00b']) {
      assert.equal((await ops.request('GET', path)).status, 400, path);
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
