import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CacheEvent } from '#core/cache/event-match.ts';
import { createInvalidations, toChangePayload } from '#core/cache/invalidation.ts';
import { isUnderPressure, startMemoryGuard } from '#core/cache/memory-guard.ts';
import { loadConfig } from '#core/config/config.ts';
import { readSample } from '../../support/platform.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';
import { until } from '../../support/until.ts';

function create() {
  const telemetry = recordTelemetry();
  const events: CacheEvent[] = [];
  const done: string[] = [];
  const cache = {
    invalidate: (event: CacheEvent) => events.push(event),
    clear: () => void done.push('clear'),
    setOpen: (isOpen: boolean) => void done.push(isOpen ? 'open' : 'closed'),
  };
  const invalidations = createInvalidations({ caches: [cache], telemetry });
  const sample = async (name: string, labels = {}): Promise<number> =>
    readSample((await telemetry.metrics.render()).body, `returnit_cache_${name}_total`, labels);
  return { invalidations, events, done, sample, telemetry };
}

describe('createInvalidations()', () => {
  const toPayload = (id: string, data: object) => toChangePayload({ id, name: 'order.created', data });

  it('removes at the commit, and not again when the notification comes round', async () => {
    const { invalidations, events, sample } = create();
    const data = { orderId: 'o1', status: 'created' };
    invalidations.published({ id: 'e1', name: 'order.created', data });
    assert.deepEqual(events, [{ name: 'order.created', ids: { orderId: 'o1' } }]);
    invalidations.receive(toPayload('e1', data));
    assert.equal(events.length, 1);
    assert.deepEqual([await sample('invalidations_sent'), await sample('invalidations_received')], [1, 0]);
  });

  it('removes what another node published, by a payload that names no more than ids', async () => {
    const { invalidations, events, sample } = create();
    const payload = toPayload('e1', { orderId: 'o1', notes: 'ring twice' });
    assert.ok(!payload.includes('ring twice'));
    invalidations.receive(payload);
    assert.deepEqual(events, [{ name: 'order.created', ids: { orderId: 'o1' } }]);
    assert.equal(await sample('invalidations_received'), 1);
  });

  it('fits into a notification, whatever is published', () => {
    const { invalidations, events } = create();
    const data = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`a${index}Id`, 'ü'.repeat(128)]));
    const payload = toPayload('e1', data);
    assert.ok(Buffer.byteLength(payload) < 8000);
    invalidations.receive(payload);
    assert.deepEqual(events, [{ name: 'order.created', ids: null }]);
  });

  it('clears everything for a notification that it cannot read', async () => {
    for (const payload of ['', '{}', '[1,2,3]', '["a","order.created",{"orderId":5}]', 'null']) {
      const { invalidations, done, sample } = create();
      invalidations.receive(payload);
      assert.deepEqual(done, ['clear'], payload);
      assert.equal(await sample('clears', { reason: 'unreadable' }), 1);
    }
  });

  it('keeps nothing while the connection is lost, and counts its return', async () => {
    const { invalidations, done, sample } = create();
    invalidations.lost();
    invalidations.opened();
    assert.deepEqual(done, ['closed', 'open']);
    assert.equal(await sample('clears', { reason: 'reconnect' }), 1);
  });
});

describe('startMemoryGuard()', () => {
  const config = { ...loadConfig({}), cachePressureCheckMs: 10 };
  const MiB = 1_048_576;

  it('takes a heap for full when its committed part is, and enough of its limit, and it is not small', () => {
    const reading = (usedMiB: number, totalMiB: number, limitMiB: number): boolean =>
      isUnderPressure({ usedBytes: usedMiB * MiB, totalBytes: totalMiB * MiB, limitBytes: limitMiB * MiB }, config);
    assert.equal(reading(1900, 2000, 4000), true);
    assert.equal(reading(1700, 2000, 4000), false, 'V8 has committed more than is used');
    assert.equal(reading(950, 1000, 4000), false, 'three quarters of the limit are free');
    assert.equal(reading(60, 62, 64), false, 'a small heap');
  });

  it('clears and warns as long as it is full, and stops', async () => {
    const { telemetry } = create();
    let cleared = 0;
    let isFull = false;
    const readHeap = () => ({ usedBytes: isFull ? 1900 * MiB : MiB, totalBytes: 2000 * MiB, limitBytes: 4000 * MiB });
    const stop = startMemoryGuard({ config, telemetry, clear: () => (cleared += 1), readHeap });
    // A timer of the test's own holds the process: the guard's must not.
    const hold = setInterval(() => (isFull = true), 50);
    await until('it has cleared', () => cleared > 0);
    assert.ok(isFull);
    stop();
    clearInterval(hold);
  });
});
