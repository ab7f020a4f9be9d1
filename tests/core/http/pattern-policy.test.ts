import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compilePattern, findPatternProblem, patternedTextMax } from '#core/http/pattern-policy.ts';

describe('findPatternProblem()', () => {
  const accepted = [
    '^[a-z0-9-]+$',
    '^.*$',
    '^ord_[0-9a-f]{8}-[0-9a-f]{4}$',
    '^\\+[1-9]\\d{6,14}$',
    '^(red|green|blue)$',
    '^[A-Z]{2,3}(-[0-9]{1,4})?$',
    '^\\d{4}-\\d{2}-\\d{2}$',
    '[A-Z]',
    '^\\p{L}+$',
    '^(?<code>[A-Z]{3})$',
    '^((a|b)c)$',
    '^[^\\]]*$',
  ];
  for (const pattern of accepted) {
    it(`accepts ${pattern}`, () => assert.equal(findPatternProblem(pattern), undefined));
  }

  const refused: readonly (readonly [string, RegExp])[] = [
    ['^(a+)+$', /too many ways/],
    ['^(a*)*b$', /too many ways/],
    ['^(a|a)*$', /too many ways/],
    ['^(a|aa)+$', /too many ways/],
    ['^(.*a){12}$', /too many ways/],
    ['^a*a*$', /too many ways/],
    ['a+b', /too many ways/],
    ['^a|b+$', /too many ways/],
    [`^${'(a|a)'.repeat(20)}$`, /too many ways/],
    ['^(a{1,50}){1,50}$', /too many ways/],
    ['^(a)\\1$', /refers back/],
    ['^(?<n>a)\\k<n>$', /refers back/],
    ['^(?=a)a$', /ahead or behind/],
    ['^(?<!a)b$', /ahead or behind/],
    [`^${'a'.repeat(300)}$`, /at most 256 characters: it has 302/],
    ['^[a-$', /Invalid regular expression/],
    ['^(a$', /Invalid regular expression/],
  ];
  for (const [pattern, reason] of refused) {
    it(`refuses ${pattern.slice(0, 40)}`, () => assert.match(findPatternProblem(pattern) ?? '', reason));
  }
});

describe('compilePattern()', () => {
  it('matches as a regular expression does', () => {
    assert.equal(compilePattern('^[a-z]+$').test('abc'), true);
    assert.equal(compilePattern('^[a-z]+$').test('abc1'), false);
  });

  it('never matches a text longer than it was judged for', () => {
    assert.equal(compilePattern('^a*$').test('a'.repeat(patternedTextMax)), true);
    assert.equal(compilePattern('^a*$').test('a'.repeat(patternedTextMax + 1)), false);
  });

  it('throws for a pattern that is refused', () => {
    assert.throws(() => compilePattern('^(a+)+$'), /Cannot compile pattern "\^\(a\+\)\+\$"/);
  });
});
