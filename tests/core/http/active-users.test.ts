import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createActiveUsers } from '#core/http/active-users.ts';

const customer = (id: string) => ({ role: 'customer', id }) as const;

describe('createActiveUsers()', () => {
  it('counts each user once, by role and id, until nothing was heard of it for so long', () => {
    const users = createActiveUsers({ withinMs: 100 });
    users.saw(customer('a'), 0);
    users.saw(customer('b'), 50);
    users.saw(customer('a'), 60);
    users.saw({ role: 'driver', id: 'a' }, 60);
    assert.equal(users.count(99), 3);
    assert.equal(users.count(149), 3);
    // b was heard of at 50, the others at 60.
    assert.equal(users.count(150), 2);
    assert.equal(users.count(160), 0);
  });

  it('notes who asks often once in a hundredth of that time', () => {
    const users = createActiveUsers({ withinMs: 1000 });
    for (const ms of [0, 9, 10, 15]) users.saw(customer('a'), ms);
    // Noted at 0 and at 10: 15 is too soon.
    assert.equal(users.count(1009), 1);
    assert.equal(users.count(1010), 0);
  });

  it('counts no device and nobody without a name', () => {
    const users = createActiveUsers({ withinMs: 100 });
    users.saw({ role: 'device', id: 'd1.phone' }, 0);
    users.saw({ role: 'anonymous', id: '' }, 0);
    assert.equal(users.count(1), 0);
  });

  it('remembers a bounded number, and forgets the one heard of longest ago', () => {
    const users = createActiveUsers({ withinMs: 100, usersMax: 2 });
    for (const [index, id] of ['a', 'b', 'a', 'c'].entries()) users.saw(customer(id), index);
    assert.equal(users.count(4), 2);
    // a was heard of at 2 and c at 3; b is forgotten.
    assert.equal(users.count(102), 1);
  });
});
