import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import type { Call } from '#core/plugin-host/capability.ts';
import { IncomingCall } from '#core/plugin-host/protocol/incoming-calls.ts';
import { parentId, traceId, useDoors } from './door.ts';

describe('createInvoke()', () => {
  const create = useDoors();

  it('answers what the capability answers: one span under the caller, one count, one duration', async (t) => {
    let seen: Call | undefined;
    const door = await create(t, { run: (call) => ((seen = call), 'sent') });
    assert.equal(await door.call(), 'sent');
    assert.equal(seen?.instance.plugin.name, 'orders');
    assert.equal(await door.counted('ok'), 1);
    const { body } = await door.telemetry.metrics.render();
    assert.match(
      body,
      /returnit_plugin_capability_call_duration_seconds_count\{plugin="orders",capability="jobs\.send"\} 1/,
    );
    const span = door.lastSpan();
    assert.equal(span.name, 'jobs.send');
    assert.equal(span.parentSpanId, parentId);
    assert.equal(span.attributes['plugin.name'], 'orders');
    assert.deepEqual(await door.records(), []);
  });

  it('records access that is given, before it is handed out and only when it was', async (t) => {
    let isFailing = false;
    const door = await create(t, {
      run: () => (isFailing ? Promise.reject(new AppError('OVERLOADED', 'Cannot give')) : 'a secret'),
    });
    assert.equal(await door.call({ method: 'jobs.give' }), 'a secret');
    const [record, ...others] = await door.records();
    assert.deepEqual(others, []);
    assert.deepEqual(
      [record?.decision, record?.plugin, record?.permission, record?.resource, record?.trace_id],
      ['issue', 'orders', 'jobs.give', 'orders.bill to kim', traceId],
    );
    isFailing = true;
    await assert.rejects(door.call({ method: 'jobs.give' }), { code: 'OVERLOADED' });
    assert.equal((await door.records()).length, 1);
    isFailing = false;
    // A record that cannot be written: nobody is told the secret.
    await rm(door.auditDir, { recursive: true });
    await writeFile(door.auditDir, '');
    door.stopAudit();
    await assert.rejects(door.call({ method: 'jobs.give' }));
  });

  it('ends a call at its deadline, whatever it waits for, and the plugin may only shorten it', async (t) => {
    const signals: AbortSignal[] = [];
    let waiting = Promise.withResolvers<void>();
    const door = await create(t, {
      run(call) {
        signals.push(call.signal);
        waiting.resolve();
        return new Promise(() => undefined);
      },
    });
    t.mock.timers.enable({ apis: ['setTimeout'] });
    for (const [timeoutMs, expectedMs] of [
      [50, 50],
      [undefined, 5000],
      [60_000, 5000],
    ] as const) {
      waiting = Promise.withResolvers();
      const call = door.call({ timeoutMs });
      await waiting.promise;
      t.mock.timers.tick(expectedMs - 1);
      assert.equal(signals.at(-1)?.aborted, false);
      t.mock.timers.tick(1);
      await assert.rejects(call, {
        code: 'TIMEOUT',
        message: `Cannot finish jobs.send: it took longer than ${expectedMs} ms`,
      });
      assert.equal(signals.at(-1)?.aborted, true);
    }
    t.mock.timers.reset();
    assert.equal(await door.counted('timeout'), 3);
  });

  it('ends a call that the caller gave up, before and while it runs', async (t) => {
    const caller = new IncomingCall({ t: 'call', id: 1, method: 'jobs.send', args: {} }, undefined);
    const request = { onCancel: (listener: () => void) => caller.onCancel(listener) };
    const door = await create(t, {
      run: (call) =>
        new Promise((_, reject) => call.signal.addEventListener('abort', () => reject(call.signal.reason))),
    });
    const call = door.call(request);
    caller.cancel(new Error('gone'));
    const expected = { code: 'CANCELLED', message: 'Cannot finish jobs.send: the caller no longer waits' };
    await assert.rejects(call, expected);
    await assert.rejects(door.call(request), expected);
    assert.equal(await door.counted('cancelled'), 2);
  });

  it('passes the error of a capability on, and logs one that nobody meant to throw', async (t) => {
    const errors: Error[] = [new AppError('OVERLOADED', 'Cannot send: too much'), new TypeError('a fault of ours')];
    const door = await create(t, { run: () => Promise.reject(errors.shift()) });
    await assert.rejects(door.call(), { code: 'OVERLOADED' });
    assert.deepEqual(
      door.telemetry.lines.map(({ level }) => level),
      ['debug'],
    );
    await assert.rejects(door.call(), { name: 'TypeError' });
    assert.equal(await door.counted('error'), 2);
    const line = door.telemetry.lines.at(-1);
    assert.deepEqual([line?.level, line?.msg], ['error', 'A call of a plugin failed in the core']);
    assert.equal(door.lastSpan().attributes['error.type'], 'TypeError');
  });

  it('lets notes through the same door: a refusal is silent, counted and audited', async (t) => {
    const door = await create(t);
    door.note();
    assert.deepEqual(door.noted, [{ queue: 'orders.bill' }]);
    door.note({ args: { queue: 'payments.charge' } });
    door.note({ args: { queue: 1 } });
    door.note({ method: 'jobs.send' });
    door.note({ method: 'nothing.such' });
    assert.equal(door.noted.length, 1);
    assert.equal(await door.counted('ok', 'jobs.tell'), 1);
    assert.equal(await door.counted('denied', 'jobs.tell'), 1);
    assert.equal(await door.counted('error', 'jobs.tell'), 1);
    assert.equal(await door.counted('error'), 1);
    assert.equal(await door.counted('error', 'unknown'), 1);
    const [record] = await door.records();
    assert.deepEqual([record?.resource, record?.trace_id], ['payments.charge', traceId]);
    assert.deepEqual(door.denied, ['orders']);
  });

  it('survives a note that fails in the core', async (t) => {
    const door = await create(t);
    door.noted.push = () => {
      throw new TypeError('a fault of ours');
    };
    door.note();
    assert.equal(await door.counted('error', 'jobs.tell'), 1);
    assert.equal(door.telemetry.lines[0]?.level, 'error');
  });
});
