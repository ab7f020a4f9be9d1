import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { createDeviceDoor } from '#core/app/device-door.ts';
import { createCredentials } from '#core/mqtt/credentials.ts';
import type { CredentialRecord } from '#core/mqtt/credential-store.ts';
import { createFailureLimit } from '#core/cache/failure-limit.ts';

const record: CredentialRecord = {
  username: 'd1.phone',
  secretHash: createHash('sha256').update('right').digest(),
  publish: ['drivers/d1/location'],
  subscribe: [],
  plugin: 'drivers',
  revoked: false,
  nonce: null,
};

function createDoor(failuresMax = 3) {
  const asked: string[] = [];
  const rows = new Map([[record.username, record]]);
  const credentials = createCredentials({
    store: {
      find: (username) => {
        asked.push(username);
        return Promise.resolve(rows.get(username));
      },
      save: () => Promise.resolve(true),
      revoke: () => Promise.resolve('unknown'),
      list: () => Promise.resolve([]),
    },
  });
  const authenticate = createDeviceDoor({ credentials, failureLimit: createFailureLimit({ failuresMax }) });
  const knock = (username: string, password: string, address = '10.0.0.1') =>
    authenticate({ username, password, address });
  return { asked, rows, credentials, knock };
}

describe('createDeviceDoor()', () => {
  it('says who it is and what it may publish', async () => {
    assert.deepEqual(await createDoor().knock('d1.phone', 'right'), {
      principal: { id: 'd1.phone', role: 'device', publish: ['drivers/d1/location'] },
    });
  });

  it('does not look up what cannot be a user name', async () => {
    const { asked, knock } = createDoor(100);
    for (const username of ['', 'a\0b', "' or 1=1", 'a/b', 'ü', 'x'.repeat(200)])
      assert.deepEqual(await knock(username, 'right'), { failure: 'unknown-user' });
    assert.deepEqual(asked, []);
  });

  it('refuses a device that is revoked as soon as the change is announced', async () => {
    const { rows, credentials, knock } = createDoor();
    assert.ok('principal' in (await knock('d1.phone', 'right')));
    rows.set('d1.phone', { ...record, revoked: true });
    credentials.changed('d1.phone');
    assert.deepEqual(await knock('d1.phone', 'right'), { failure: 'revoked' });
  });

  it('asks the database nothing more for an address that failed too often, and still admits who is known', async () => {
    const { asked, knock } = createDoor();
    assert.ok('principal' in (await knock('d1.phone', 'right')));
    for (const name of ['a', 'b', 'c']) assert.deepEqual(await knock(name, 'x'), { failure: 'unknown-user' });
    const before = asked.length;
    for (const name of ['e', 'a', 'a b']) assert.deepEqual(await knock(name, 'x'), { failure: 'rate-limited' });
    assert.deepEqual(await knock('d1.phone', 'guess'), { failure: 'rate-limited' });
    assert.ok('principal' in (await knock('d1.phone', 'right')));
    assert.equal(asked.length, before);
    assert.deepEqual(await knock('f', 'x', '10.0.0.2'), { failure: 'unknown-user' });
  });
});
