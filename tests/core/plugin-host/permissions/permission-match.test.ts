import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { covers, overlaps } from '#core/plugin-host/permissions/permission-match.ts';
import type { GrantablePermission } from '#core/plugin-host/permissions/permission-names.ts';
import { isPrivateAddress, isPrivateNetResource } from '#core/plugin-host/permissions/permission-net.ts';
import { resourceProblem } from '#core/plugin-host/permissions/permission-syntax.ts';

type Case = readonly [permission: GrantablePermission, outer: string, inner: string];

const covered: readonly Case[] = [
  ['http', '/orders', '/orders'],
  ['http', '/orders', '/orders/{orderId}'],
  ['http', '/orders', '/orders/{orderId}/items/{itemId}'],
  ['http', '/orders/{id}', '/orders/{orderId}/items'],
  ['http', '/', '/anything/at/all'],
  ['http', 'public GET /orders/{id}/track', 'public GET /orders/{orderId}/track'],
  ['db', 'tracking.driver_position', 'tracking.driver_position'],
  ['db', 'read tracking.driver_position', 'tracking.driver_position'],
  ['jobs', 'parcels.*', 'parcels.expire'],
  ['jobs', 'parcels.*', 'parcels.expire.now'],
  ['events', 'publish order.*', 'publish order.created'],
  ['events', 'subscribe *', 'subscribe order.created'],
  ['mqtt', 'subscribe drivers/+/location', 'subscribe drivers/d1/location'],
  ['mqtt', 'issue drivers/#', 'issue drivers/d1/+'],
  ['live', 'orders/{orderId}/position', 'orders/1234/position'],
  ['live', 'orders/*', 'orders/{orderId}/position'],
  ['net', 'api.stripe.com:443', 'API.Stripe.COM.:443'],
  ['net', 'api.stripe.com', 'api.stripe.com:8443'],
  ['net', '*.stripe.com:443', 'a.b.stripe.com:443'],
  ['net', '*.stripe.com:443', '*.api.stripe.com:443'],
  ['net', '*:443', 'api.stripe.com:443'],
  ['net', '*:443', '93.184.215.14:443'],
  ['net', '10.0.0.0/8:443', '10.1.2.3:443'],
  ['net', '10.0.0.0/8:443', '10.1.0.0/16:443'],
  ['net', '[fd00::/8]:443', '[fd12::1]:443'],
  ['net', '127.0.0.1:8080', '[::ffff:127.0.0.1]:8080'],
  ['net', '[2001:db8:0:0::1]:443', '[2001:db8::1]:443'],
  ['mail', '*', 'example.com'],
  ['mail', '*.example.com', 'shop.example.com'],
  ['mail', '*.example.com', '*.shop.example.com'],
  ['mail', 'example.com', 'example.com'],
  ['env', 'STRIPE_*', 'STRIPE_KEY'],
  ['env', 'STRIPE_KEY', 'STRIPE_KEY'],
  ['read', 'assets', 'assets/templates/a.html'],
];

const notCovered: readonly Case[] = [
  ['http', '/orders', '/ordersx'],
  ['http', '/orders', '/'],
  ['http', '/orders/special', '/orders/{orderId}'],
  ['http', '/orders', 'public GET /orders'],
  ['http', 'public GET /orders', 'public POST /orders'],
  ['http', 'public GET /orders', 'public GET /orders/{id}'],
  ['db', 'tracking.driver_position', 'tracking.fixes'],
  ['db', 'publish driver_position', 'driver_position'],
  ['jobs', 'parcels.*', 'parcels'],
  ['jobs', 'parcels.*', 'parcelsx.expire'],
  ['jobs', 'parcels.expire', 'parcels.*'],
  ['events', 'publish order.*', 'subscribe order.created'],
  ['events', 'publish order.created', 'order.created'],
  ['mqtt', 'subscribe drivers/+/location', 'subscribe drivers/#'],
  ['mqtt', 'subscribe drivers/+/location', 'publish drivers/d1/location'],
  ['live', 'orders/1234/position', 'orders/{orderId}/position'],
  ['mail', 'example.com', 'evil-example.com'],
  ['mail', '*.example.com', 'example.com'],
  ['mail', '*.example.com', 'evilexample.com'],
  ['mail', 'example.com', '*'],
  ['live', 'orders/{orderId}', 'orders/1234/position'],
  ['net', 'api.stripe.com:443', 'api.stripe.com:80'],
  ['net', '*.stripe.com:443', 'stripe.com:443'],
  ['net', '*.stripe.com:443', 'evilstripe.com:443'],
  ['net', '*.stripe.com:443', 'stripe.com.evil.example:443'],
  ['net', '*:443', '10.1.2.3:443'],
  ['net', '*:443', '169.254.169.254:443'],
  ['net', '*:443', '[::1]:443'],
  ['net', '*:443', '[::ffff:10.0.0.1]:443'],
  ['net', '*:443', '10.0.0.0/8:443'],
  ['net', '*:443', '0x7f.1:443'],
  ['net', '*:443', '2130706433:443'],
  ['net', '10.0.0.0/8:443', '11.0.0.1:443'],
  ['net', '10.1.0.0/16:443', '10.0.0.0/8:443'],
  ['net', 'api.stripe.com:443', 'user@api.stripe.com:443'],
  ['env', 'STRIPE_*', 'PATH'],
  ['env', 'STRIPE_KEY', 'STRIPE_KEY2'],
  ['read', 'assets', 'assets2'],
  ['read', 'assets', '/assets'],
];

describe('covers()', () => {
  for (const [permission, outer, inner] of covered) {
    it(`${permission}: ${outer} covers ${inner}`, () => assert.equal(covers(permission, outer, inner), true));
  }
  for (const [permission, outer, inner] of notCovered) {
    it(`${permission}: ${outer} does not cover ${inner}`, () => assert.equal(covers(permission, outer, inner), false));
  }
});

describe('overlaps()', () => {
  it('finds what a broad resource has in common with a narrow denial', () => {
    assert.equal(overlaps('mqtt', 'subscribe drivers/+/audio', 'subscribe drivers/#'), true);
    assert.equal(overlaps('mqtt', 'subscribe a/+/c', 'subscribe a/b/+'), true);
    assert.equal(overlaps('mqtt', 'subscribe a/b', 'subscribe a/b/c'), false);
    assert.equal(overlaps('mqtt', 'publish drivers/#', 'subscribe drivers/#'), false);
    assert.equal(overlaps('http', '/orders/secret', '/orders/{orderId}'), true);
    assert.equal(overlaps('http', '/orders/secret', '/orders'), false);
    assert.equal(overlaps('events', 'publish order.cancelled', 'publish order.*'), true);
    assert.equal(overlaps('live', 'orders/1/position', 'orders/{orderId}/position'), true);
    assert.equal(overlaps('net', 'api.stripe.com:443', 'api.stripe.com:80'), false);
  });
});

const segment = fc.constantFrom('a', 'b', 'orders', '{id}', '{x}');
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
const dotted = fc
  .tuple(fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([parts, star]) => parts.join('.') + (star ? '.*' : ''));
const host = fc
  .tuple(
    fc.constantFrom('', '*.'),
    fc.array(fc.constantFrom('a', 'b', 'example'), { minLength: 1, maxLength: 3 }),
    fc.constantFrom(80, 443),
  )
  .map(([star, parts, port]) => `${star}${parts.join('.')}:${port}`);
const resource = fc.oneof(
  fc.tuple(fc.constant('http' as const), path, path, path),
  fc.tuple(fc.constant('jobs' as const), dotted, dotted, dotted),
  fc.tuple(fc.constant('net' as const), host, host, host),
);

describe('covers() and overlaps()', () => {
  it('hold for every text against itself, and in chains', () => {
    fc.assert(
      fc.property(resource, ([permission, a, b, c]) => {
        assert.ok(covers(permission, a, a));
        if (covers(permission, a, b) && covers(permission, b, c)) assert.ok(covers(permission, a, c));
        if (covers(permission, a, b)) assert.ok(overlaps(permission, a, b));
      }),
      { numRuns: 2000 },
    );
  });

  it('answer for any text, and never cover more than the text itself when it is no resource', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('http', 'db', 'jobs', 'events', 'mqtt', 'live', 'net', 'env', 'read'),
        fc.string(),
        fc.string(),
        (permission, a, b) => {
          assert.equal(typeof covers(permission, a, b), 'boolean');
          assert.equal(typeof overlaps(permission, a, b), 'boolean');
          assert.ok(['string', 'undefined'].includes(typeof resourceProblem(permission, a)));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('isPrivateAddress()', () => {
  it('knows what is not reachable from everywhere', () => {
    for (const address of [
      '10.0.0.1',
      '127.0.0.1',
      '192.168.1.1',
      '172.16.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
      '224.0.0.1',
      '::1',
      'fe80::1',
      'fd00::1',
      '::ffff:10.0.0.1',
      '64:ff9b::a00:1',
      'nonsense',
    ]) {
      assert.equal(isPrivateAddress(address), true, address);
    }
    for (const address of ['93.184.215.14', '2606:2800:21f:cb07::1'])
      assert.equal(isPrivateAddress(address), false, address);
    assert.equal(isPrivateNetResource('10.0.0.1:443'), true);
    assert.equal(isPrivateNetResource('localhost:443'), false);
  });
});
