import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createWatchedTopics } from '#core/mqtt/watched-topics.ts';
import { filterMatches } from '#core/mqtt/topic-filter.ts';

const level = fc.constantFrom('a', 'b', '');
const topics = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const filters = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, open]) => [...levels, ...(open ? ['#'] : [])].join('/'));

describe('createWatchedTopics()', () => {
  it('matches what one of its filters matches, and forgets those that are removed', () => {
    fc.assert(
      fc.property(fc.array(filters), fc.array(filters), topics, (kept, removed, topic) => {
        const watched = createWatchedTopics();
        for (const filter of [...removed, ...kept]) watched.add(filter);
        for (const filter of removed) watched.remove(filter);
        assert.equal(
          watched.matches(topic),
          kept.some((filter) => filterMatches(filter, topic)),
        );
      }),
    );
  });

  it('keeps a filter until the last who asked for it has gone', () => {
    const watched = createWatchedTopics();
    watched.add('a/#');
    watched.add('a/#');
    watched.remove('a/#');
    watched.remove('b');
    assert.ok(watched.matches('a/b'));
    watched.remove('a/#');
    assert.ok(!watched.matches('a/b'));
  });
});
