import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { array, assert as assertProperty, boolean, constantFrom, property, tuple } from 'fast-check';
import { filterContains, filterMatches, isTopic, isTopicFilter } from '#core/mqtt/topic-filter.ts';

const levelOfTopic = constantFrom('a', 'b', '', '$SYS');
const topic = array(levelOfTopic, { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join('/'))
  .filter((text) => text !== '');
const filter = tuple(array(constantFrom('a', 'b', '', '+', '$SYS'), { maxLength: 4 }), boolean())
  .map(([levels, open]) => [...levels, ...(open ? ['#'] : [])].join('/'))
  .filter((text) => isTopicFilter(text));

/** Every topic of up to five levels over an alphabet that has one level more than the filters name. */
const alphabet = ['a', 'b', 'c', '', '$SYS'];
const topics: string[] = [];
for (let tier: string[][] = alphabet.map((level) => [level]), depth = 1; depth <= 5; depth += 1) {
  topics.push(...tier.map((levels) => levels.join('/')).filter((text) => text !== ''));
  tier = tier.flatMap((levels) => alphabet.map((level) => [...levels, level]));
}

describe('isTopicFilter()', () => {
  it('takes wildcards for whole levels only', () => {
    for (const text of ['#', '+', 'a/#', '+/b', '/', 'a//b', '$SYS/#']) assert.equal(isTopicFilter(text), true, text);
    for (const text of ['', 'a#', 'a/#/b', 'a+', '+a/b', 'a\0b', '\uD800', 'x'.repeat(65_536), '/'.repeat(100)]) {
      assert.equal(isTopicFilter(text), false, text.slice(0, 10));
    }
  });
});

describe('isTopic()', () => {
  it('refuses wildcards', () => {
    assert.equal(isTopic('drivers/1/location'), true);
    for (const text of ['', '#', 'a/+', 'a/b#']) assert.equal(isTopic(text), false, text);
  });
});

describe('filterMatches()', () => {
  it('follows the examples of the specification', () => {
    const examples: readonly (readonly [string, string, boolean])[] = [
      ['sport/tennis/#', 'sport/tennis', true],
      ['sport/tennis/#', 'sport/tennis/player1/ranking', true],
      ['sport/+', 'sport', false],
      ['sport/+', 'sport/', true],
      ['+/+', '/finance', true],
      ['+', '/finance', false],
      ['#', '$SYS/uptime', false],
      ['+/uptime', '$SYS/uptime', false],
      ['$SYS/#', '$SYS/uptime', true],
      ['drivers/+/location', 'drivers/7/location/x', false],
    ];
    for (const [pattern, name, expected] of examples) {
      assert.equal(filterMatches(pattern, name), expected, `${pattern} ${name}`);
    }
  });

  it('lets every topic match itself', () => {
    assertProperty(property(topic, (name) => filterMatches(name, name) && filterContains(name, name)));
  });
});

describe('filterContains()', () => {
  it('says exactly whether each topic of the inner filter is one of the outer', () => {
    assertProperty(
      property(filter, filter, (outer, inner) => {
        const expected = topics.every((name) => !filterMatches(inner, name) || filterMatches(outer, name));
        // "/#" would match the empty topic, which cannot be published: there the answer errs on the safe side.
        return inner === '/#' && expected ? true : filterContains(outer, inner) === expected;
      }),
      { numRuns: 400 },
    );
  });

  it('is an order: reflexive and transitive', () => {
    assertProperty(
      property(filter, filter, filter, (first, second, third) => {
        if (!filterContains(first, first)) return false;
        return !(filterContains(first, second) && filterContains(second, third)) || filterContains(first, third);
      }),
    );
  });
});
