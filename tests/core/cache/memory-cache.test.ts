import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemoryCache } from '#core/cache/memory-cache.ts';
import { loadConfig } from '#core/config/config.ts';
import { createCacheCapability } from '#core/plugin-host/capabilities/cache.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';
import { callCapability, createFakeInstance } from '../../support/fake-instance.ts';
import { until } from '../../support/until.ts';

const labels = { cache: 'object', plugin: 'orders' };

function create(given: { entriesMax?: number; ttlMs?: number; maxBytes?: number; valueMaxBytes?: number } = {}) {
  const metrics = createMetrics({ labelSetsMax: 500 });
  const cache = createMemoryCache({
    labels,
    entriesMax: 3,
    ttlMs: 60_000,
    maxBytes: 1000,
    valueMaxBytes: 100,
    ...given,
    metrics,
  });
  return { cache, text: async () => (await metrics.render()).body };
}

describe('createMemoryCache()', () => {
  it('keeps, overwrites, deletes and clears, and counts look-ups', async () => {
    const { cache, text } = create();
    assert.equal(cache.get('a'), undefined);
    cache.set('a', '1');
    cache.set('a', '2');
    cache.set('__proto__', '3');
    assert.deepEqual([cache.get('a'), cache.get('__proto__'), cache.get('constructor')], ['2', '3', undefined]);
    assert.match(await text(), /returnit_cache_entries\{cache="object",plugin="orders"\} 2/);
    // Keys and values; what was overwritten is gone.
    assert.match(await text(), /returnit_cache_size_bytes\{cache="object",plugin="orders"\} 12$/m);
    assert.match(await text(), /returnit_cache_max_bytes\{cache="object",plugin="orders"\} 1000$/m);
    cache.delete('a');
    cache.clear();
    assert.match(await text(), /returnit_cache_size_bytes\{cache="object",plugin="orders"\} 0$/m);
    assert.equal(cache.get('__proto__'), undefined);
    assert.match(await text(), /returnit_cache_requests_total\{cache="object",plugin="orders",result="hit"\} 2/);
    assert.match(await text(), /returnit_cache_requests_total\{cache="object",plugin="orders",result="miss"\} 3/);
    assert.match(await text(), /returnit_cache_entries_max\{cache="object",plugin="orders"\} 3/);
  });

  it('gives up the entry longest unused, above its entries and above its bytes', async () => {
    const { cache, text } = create();
    for (const key of ['a', 'b', 'c']) cache.set(key, key);
    cache.get('a');
    cache.set('d', 'd');
    assert.deepEqual([cache.get('a'), cache.get('b')], ['a', undefined]);
    const small = create({ entriesMax: 100, maxBytes: 250 });
    for (const key of ['a', 'b', 'c']) small.cache.set(key, 'x'.repeat(100));
    assert.deepEqual(
      ['a', 'b', 'c'].map((key) => small.cache.get(key) !== undefined),
      [false, true, true],
    );
    for (const { body } of [{ body: await text() }, { body: await small.text() }]) {
      assert.match(body, /returnit_cache_evictions_total\{cache="object",plugin="orders",reason="evict"\} 1/);
      assert.match(body, /returnit_cache_evictions_total\{cache="object",plugin="orders",reason="expire"\} 0/);
    }
  });

  it('refuses a value that is too large, in bytes and not in characters', () => {
    const { cache } = create();
    cache.set('a', 'ä'.repeat(50));
    assert.throws(() => cache.set('a', 'ä'.repeat(51)), {
      code: 'INVALID_CALL',
      message: 'Cannot cache "a": it has 102 bytes, at most 100 are kept',
    });
  });

  it('forgets what is over its time; a longer one than its own is not given', async () => {
    const { cache } = create({ ttlMs: 30 });
    cache.set('long', '1', 3_600_000);
    await until('it is forgotten', () => cache.get('long') === undefined);
    const { cache: patient } = create();
    patient.set('short', '1', 1);
    patient.set('kept', '1');
    await until('it is forgotten', () => patient.get('short') === undefined);
    assert.equal(patient.get('kept'), '1');
  });
});

describe('the cache capability', () => {
  it('keeps plugins apart, outlives their processes and hands out copies', async () => {
    const capability = createCacheCapability({ config: loadConfig({}), metrics: createMetrics({ labelSetsMax: 500 }) });
    const call = (plugin: string, method: string, args: object): Promise<unknown> =>
      callCapability(capability, createFakeInstance(plugin), { method, args });
    await call('orders', 'set', { key: 'a', value: { list: [1] } });
    assert.deepEqual(await call('payments', 'get', { key: 'a' }), {});
    const first = (await call('orders', 'get', { key: 'a' })) as { value: { list: number[] } };
    first.value.list.push(2);
    assert.deepEqual(await call('orders', 'get', { key: 'a' }), { value: { list: [1] } });
    await call('orders', 'set', { key: 'nothing' });
    assert.deepEqual(await call('orders', 'get', { key: 'nothing' }), { value: null });
    await call('orders', 'delete', { key: 'a' });
    assert.deepEqual(await call('orders', 'get', { key: 'a' }), {});
  });
});
