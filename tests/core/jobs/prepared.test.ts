import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toPrepared } from '#core/jobs/prepared.ts';

describe('toPrepared()', () => {
  it('prepares what has parameters, each text under a name of its own', () => {
    const one = toPrepared('select $1::int', [1]);
    assert.match(one.name ?? '', /^pgboss_[0-9a-f]{32}$/);
    assert.deepEqual(toPrepared('select $1::int', [2]), { ...one, values: [2] });
    assert.notEqual(toPrepared('select $1::text', ['x']).name, one.name);
  });

  it('prepares what has none once it has run often, so that there is something to plan for', () => {
    const named = Array.from({ length: 300 }, () => toPrepared('select 1 as often').name !== undefined);
    assert.deepEqual([named[0], named[199], named[200], named.at(-1)], [false, false, true, true]);
  });

  it('leaves several statements in one text alone', () => {
    for (let run = 0; run < 300; run += 1) assert.equal(toPrepared('begin; select 1; commit').name, undefined);
  });
});
