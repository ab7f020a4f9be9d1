import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createEventCache, type EventCache } from '#core/cache/event-cache.ts';
import { isInvalidatedBy, toCacheEvent } from '#core/cache/event-match.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';
import { readSample } from '../../support/platform.ts';
import { until } from '../../support/until.ts';

interface Kept {
  readonly version: number;
}

function create(
  given: { entriesMax?: number; ttlMs?: number; maxBytes?: number } = {},
  metrics = createMetrics({ labelSetsMax: 500 }),
) {
  const cache: EventCache<Kept> = createEventCache({
    name: 'query',
    entriesMax: 3,
    ttlMs: 60_000,
    maxBytes: 1000,
    valueMaxBytes: 100,
    ...given,
    metrics,
  });
  const put = (key: string, bytes = 1, rule = { invalidatedBy: ['order.*'] }): void => {
    const fill = cache.fill(key, { plugin: 'orders', rule });
    fill.store({ value: { version: 1 }, bytes });
    fill.end();
  };
  const sample = async (name: string, labels: Record<string, string>): Promise<number> =>
    readSample((await metrics.render()).body, name, labels);
  return { cache, put, sample };
}

describe('isInvalidatedBy()', () => {
  const ofOrder = (value: string) => ({ invalidatedBy: ['order.*'], key: { field: 'orderId', value } });

  it('takes an event by its name, or by how it begins', () => {
    const event = toCacheEvent('order.picked_up', {});
    const taken = (...invalidatedBy: string[]): boolean => isInvalidatedBy({ invalidatedBy }, event);
    assert.deepEqual(
      [taken('order.picked_up'), taken('order.*'), taken('a.b', 'order.*'), taken('order.picked'), taken('orders.*')],
      [true, true, true, false, false],
    );
  });

  it('leaves alone what is about another thing, and in doubt nothing', () => {
    const about = (data: object, value = 'o1'): boolean =>
      isInvalidatedBy(ofOrder(value), toCacheEvent('order.created', data));
    assert.equal(about({ orderId: 'o1', customerId: 'c' }), true);
    assert.equal(about({ orderId: 'o2' }), false);
    assert.equal(about({ orderId: 'ABC' }, 'abc'), true, 'two spellings of one UUID');
    assert.equal(about({ customerId: 'c' }), true, 'the event does not say');
    assert.equal(about({ orderId: 'o2', batchId: 7 }), true, 'an id of another form');
    assert.equal(about({ orderId: 'o2', longId: 'x'.repeat(200) }), true, 'an id that is too long');
    assert.equal(about({ orderId: 'o2', driverId: null }), false);
  });
});

describe('createEventCache()', () => {
  it('keeps, and counts by plugin', async () => {
    const { cache, put, sample } = create();
    assert.equal(cache.get('a', 'orders'), undefined);
    put('a');
    assert.deepEqual(cache.get('a', 'orders'), { version: 1 });
    const requests = 'returnit_cache_requests_total';
    assert.equal(await sample(requests, { cache: 'query', plugin: 'orders', result: 'miss' }), 1);
    assert.equal(await sample(requests, { cache: 'query', plugin: 'orders', result: 'hit' }), 1);
    assert.equal(await sample('returnit_cache_entries', { cache: 'query', plugin: 'orders' }), 1);
    assert.equal(await sample('returnit_cache_entries_max', { cache: 'query' }), 3);
    put('bé', 50);
    assert.equal(await sample('returnit_cache_size_bytes', { cache: 'query', plugin: 'orders' }), 2 + 53);
    assert.equal(await sample('returnit_cache_max_bytes', { cache: 'query', plugin: 'core' }), 1000);
    cache.clear();
    assert.equal(await sample('returnit_cache_size_bytes', { cache: 'query', plugin: 'orders' }), 0);
  });

  it('is bounded in entries, in bytes, in the size of one value and in time', async () => {
    const { cache, put, sample } = create();
    for (const key of ['a', 'b', 'c', 'd']) put(key);
    assert.equal(cache.get('a', 'orders'), undefined);
    assert.equal(await sample('returnit_cache_evictions_total', { reason: 'evict' }), 1);
    assert.equal(await sample('returnit_cache_evictions_total', { reason: 'expire' }), 0);
    put('large', 101);
    assert.equal(cache.get('large', 'orders'), undefined);
    const small = create({ entriesMax: 100, maxBytes: 250 });
    for (const key of ['a', 'b', 'c']) small.put(key, 100);
    assert.deepEqual(
      ['a', 'b', 'c'].map((key) => small.cache.get(key, 'orders') !== undefined),
      [false, true, true],
    );
    const short = create({ ttlMs: 20 });
    short.put('a');
    await until('its time is over', () => short.cache.get('a', 'orders') === undefined);
  });

  it('does not keep what was read before an event, nor while nobody would hear of one', async () => {
    const { cache, put, sample } = create();
    const rule = { invalidatedBy: ['order.*'] };
    const reading = cache.fill('a', { plugin: 'orders', rule });
    cache.invalidate(toCacheEvent('order.created', {}));
    reading.store({ value: { version: 1 }, bytes: 1 });
    reading.end();
    assert.equal(cache.get('a', 'orders'), undefined);
    put('a');
    cache.setOpen(false);
    put('b');
    assert.deepEqual([cache.get('a', 'orders'), cache.get('b', 'orders')], [undefined, undefined]);
    assert.equal(await sample('returnit_cache_requests_total', { result: 'bypass' }), 2);
    const before = cache.fill('c', { plugin: 'orders', rule });
    cache.setOpen(true);
    before.store({ value: { version: 1 }, bytes: 1 });
    before.end();
    assert.equal(cache.get('c', 'orders'), undefined, 'its reading began while nobody would have heard');
  });

  it('counts what events remove', async () => {
    const { cache, put, sample } = create();
    put('a');
    put('b', 1, { invalidatedBy: ['driver.*'] });
    assert.equal(cache.invalidate(toCacheEvent('order.created', {})), 1);
    assert.equal(await sample('returnit_cache_invalidated_entries_total', { cache: 'query', plugin: 'orders' }), 1);
    assert.deepEqual([cache.get('a', 'orders'), cache.get('b', 'orders')?.version], [undefined, 1]);
  });

  it('never answers an older version than the newest that was told of, in any order of reads and writes', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('read' as const), order: fc.nat(2), reader: fc.nat(3) }),
      fc.record({ kind: fc.constant('finish' as const), reader: fc.nat(3) }),
      fc.record({ kind: fc.constant('write' as const), order: fc.nat(2) }),
      fc.record({ kind: fc.constant('lose' as const) }),
    );
    const metrics = createMetrics({ labelSetsMax: 500 });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { cache } = create({}, metrics);
        const versions = [1, 1, 1];
        const reading = new Map<number, () => void>();
        for (const each of steps) {
          if (each.kind === 'write') {
            versions[each.order] = (versions[each.order] ?? 0) + 1;
            cache.invalidate(toCacheEvent('order.changed', { orderId: `o${each.order}` }));
          } else if (each.kind === 'lose') {
            // A change of which this node never hears, and what it does when the connection is back.
            cache.setOpen(false);
            versions[0] = (versions[0] ?? 0) + 1;
            cache.setOpen(true);
          } else if (each.kind === 'finish') {
            reading.get(each.reader)?.();
            reading.delete(each.reader);
          } else if (!reading.has(each.reader)) {
            const key = `o${each.order}`;
            const kept = cache.get(key, 'orders');
            if (kept !== undefined) assert.equal(kept.version, versions[each.order]);
            const rule = { invalidatedBy: ['order.*'], key: { field: 'orderId', value: key } };
            const fill = cache.fill(key, { plugin: 'orders', rule });
            const value = { version: versions[each.order] ?? 0 };
            reading.set(each.reader, () => {
              fill.store({ value, bytes: 1 });
              fill.end();
            });
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
