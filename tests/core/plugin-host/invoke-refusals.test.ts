import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AppError } from '#core/errors/app-error.ts';
import { traceId, useDoors } from './door.ts';

describe('what createInvoke() refuses', () => {
  const create = useDoors();

  it('refuses methods that do not exist, and takes no label from the plugin', async (t) => {
    const door = await create(t);
    for (const name of ['jobs.steal', 'toString', '__proto__', 'constructor.name', 'jobs', '', 'x'.repeat(500)]) {
      await assert.rejects(door.call({ method: name }), {
        code: 'INVALID_CALL',
        message: /the core has no such method$/,
      });
    }
    assert.equal(await door.counted('error', 'unknown'), 7);
    assert.ok(!(await door.telemetry.metrics.render()).body.includes('steal'));
  });

  it('refuses arguments that do not match, naming the member, before anything runs', async (t) => {
    const door = await create(t, { run: () => assert.fail('it must not run') });
    const cases: [unknown, RegExp][] = [
      [undefined, /the arguments must be object$/],
      [null, /the arguments must be object$/],
      [[], /the arguments must be object$/],
      ['orders.bill', /the arguments must be object$/],
      [{}, /must have required property? 'queue'|must have required properties queue/],
      [{ queue: 7 }, /\/queue must be string$/],
      [{ queue: 'orders.bill', count: '7' }, /\/count must be integer$/],
      [{ queue: 'orders.bill', extra: 1 }, /must NOT have additional properties$/],
      [JSON.parse('{"queue":"orders.bill","__proto__":{"count":1}}'), /must NOT have additional properties$/],
      [{ queue: 'orders.bill', constructor: 1 }, /must NOT have additional properties$/],
      [JSON.parse('{"__proto__":{"queue":"orders.bill"}}'), /queue|additional properties$/],
    ];
    for (const [args, message] of cases) {
      await assert.rejects(door.call({ args }), { code: 'INVALID_CALL', message }, JSON.stringify(args));
    }
    assert.equal(await door.counted('error'), cases.length);
    assert.equal(({} as { count?: number }).count, undefined);
  });

  it("denies what is not granted in Deno's words, audits it with the trace, counts it and marks the span", async (t) => {
    const door = await create(t, { run: () => assert.fail('it must not run') });
    await assert.rejects(door.call({ args: { queue: 'payments.charge' } }), (error: AppError) => {
      assert.equal(
        `${error.name}: ${error.message}`,
        'NotCapable: orders@1.0.0 requires jobs access to "payments.charge"\n' +
          '  requested in plugin.json: no    granted: orders.bill',
      );
      assert.equal(error.code, 'NOT_CAPABLE');
      return true;
    });
    const [record] = await door.records();
    assert.deepEqual(
      [record?.plugin, record?.permission, record?.resource, record?.decision, record?.rule, record?.trace_id],
      ['orders', 'jobs', 'payments.charge', 'deny', 'not requested', traceId],
    );
    assert.deepEqual(door.denied, ['orders']);
    assert.equal(await door.counted('denied'), 1);
    assert.equal(door.lastSpan().attributes['error.type'], 'NOT_CAPABLE');
  });

  it('checks what a capability asks for while the call runs, just the same', async (t) => {
    const door = await create(t, {
      run(call) {
        call.check({ permission: 'jobs', resource: 'orders.bill' });
        call.check({ permission: 'net', resource: 'evil.example:443' });
        assert.fail('it must not come here');
      },
    });
    await assert.rejects(door.call(), { code: 'NOT_CAPABLE', message: /requires net access to "evil\.example:443"/ });
    assert.equal((await door.records())[0]?.permission, 'net');
    assert.equal(await door.counted('denied'), 1);
  });

  it('refuses what is over the budget, and gathers the records', async (t) => {
    const door = await create(t, { budget: 3 });
    const results = await Promise.allSettled(Array.from({ length: 50 }, () => door.call()));
    const refused = results.filter(({ status }) => status === 'rejected');
    // The bucket fills again while they run: at least those that came at once are refused.
    assert.ok(refused.length >= 40, String(refused.length));
    const [first] = refused;
    assert.match(
      String((first as PromiseRejectedResult).reason),
      /Cannot call jobs\.send: orders has spent its calls of this second$/,
    );
    assert.equal(await door.counted('budget'), refused.length);
    const records = await door.records();
    assert.equal(records[0]?.decision, 'budget');
    assert.ok(records.length < 5);
  });
});
