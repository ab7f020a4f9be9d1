import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { clientAddress } from '#core/http/client-address.ts';

const request = (remoteAddress: string, forwarded?: string): IncomingMessage =>
  ({ socket: { remoteAddress }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } }) as never;

describe('clientAddress()', () => {
  const proxies = ['10.0.0.1', '10.0.0.2'];

  it("is the peer's, whatever a peer that is no proxy of ours says", () => {
    assert.equal(clientAddress(request('203.0.113.9', '198.51.100.1'), proxies), '203.0.113.9');
    assert.equal(clientAddress(request('10.0.0.1', '198.51.100.1'), []), '10.0.0.1');
  });

  it('is the last one that is not a proxy of ours', () => {
    assert.equal(clientAddress(request('::ffff:10.0.0.1', '198.51.100.1'), proxies), '198.51.100.1');
    assert.equal(clientAddress(request('10.0.0.1', '1.2.3.4, 198.51.100.1, 10.0.0.2'), proxies), '198.51.100.1');
    assert.equal(clientAddress(request('10.0.0.1', '2001:db8::7'), proxies), '2001:db8::7');
  });

  it('is the proxy when it forwards nobody', () => {
    for (const forwarded of [undefined, '', 'unknown', '10.0.0.2'])
      assert.equal(clientAddress(request('10.0.0.1', forwarded), proxies), '10.0.0.1');
  });
});
