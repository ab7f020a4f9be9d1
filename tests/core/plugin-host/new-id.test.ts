import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpRequest } from '#plugin-api';
import { newIdOf } from '#core/plugin-host/child/context/new-id.ts';

const asked = {
  principal: { role: 'partner', id: 'acme' },
  params: { orderId: 'o1', number: 7 },
  headers: { 'idempotency-key': 'k1' },
} as const satisfies Pick<HttpRequest, 'principal' | 'params' | 'headers'>;
const template = '/orders/{orderId}/parcels/{number}';
const uuid = (version: number): RegExp =>
  new RegExp(`^[0-9a-f]{8}-[0-9a-f]{4}-${version}[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`);

describe('newId() of a request', () => {
  it('is the same for the same key, and a UUID of version 8', () => {
    const id = newIdOf(asked, 'post', template);
    assert.match(id, uuid(8));
    assert.equal(newIdOf({ ...asked }, 'post', template), id);
    // What clients have keys of does not change with a version of the platform.
    assert.equal(id, '4f1fe95d-78af-87a6-8b22-e29ce44f80d9');
  });

  it('is another for another caller, role, verb, path, parameter or key', () => {
    const { principal, params } = asked;
    const ids = [
      newIdOf(asked, 'post', template),
      newIdOf({ ...asked, principal: { ...principal, id: 'other' } }, 'post', template),
      newIdOf({ ...asked, principal: { ...principal, role: 'customer' } }, 'post', template),
      newIdOf(asked, 'put', template),
      newIdOf(asked, 'post', '/orders/{orderId}/boxes/{number}'),
      newIdOf({ ...asked, params: { ...params, number: 8 } }, 'post', template),
      newIdOf({ ...asked, headers: { 'idempotency-key': 'k2' } }, 'post', template),
    ];
    assert.equal(new Set(ids).size, ids.length);
  });

  it('is another at each call without a key, and for callers without a name', () => {
    const unkeyed = { ...asked, headers: {} };
    const anonymous = { ...asked, principal: { role: 'anonymous', id: 'anonymous' } } as const;
    for (const each of [unkeyed, anonymous]) {
      const [one, other] = [newIdOf(each, 'post', template), newIdOf(each, 'post', template)];
      assert.match(one, uuid(7));
      assert.notEqual(one, other);
    }
  });
});
