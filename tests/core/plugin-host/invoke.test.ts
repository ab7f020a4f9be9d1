import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { Type } from 'typebox';
import { AppError } from '#core/errors/app-error.ts';
import { readAudit } from '#core/plugin-host/audit/audit-read.ts';
import { IncomingCall } from '#core/plugin-host/protocol/incoming-calls.ts';
import { createAudit } from '#core/plugin-host/audit/audit.ts';
import { createCallBudget } from '#core/plugin-host/call-budget.ts';
import { method, type Call, type Capability } from '#core/plugin-host/capability.ts';
import { createInvoke, type InvokeRequest } from '#core/plugin-host/invoke.ts';
import { createPermissions } from '#core/plugin-host/permissions/permissions.ts';
import { startTracing, type Tracing } from '#core/telemetry/tracing.ts';
import { createFakeInstance } from '../../support/fake-instance.ts';
import { createFolder } from './plugin-project.ts';
import { createTestTelemetry } from './test-telemetry.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const parentId = 'b7ad6b7169203331';
const traceparent = `00-${traceId}-${parentId}-01`;
const Args = Type.Object(
  { queue: Type.String({ minLength: 1 }), count: Type.Optional(Type.Integer()) },
  { additionalProperties: false },
);

function createCapabilities(run: (call: Call) => unknown, noted: unknown[]): readonly Capability[] {
  const access = ({ queue }: { queue: string }) => [{ permission: 'jobs' as const, resource: queue }];
  return [
    {
      name: 'jobs',
      methods: {
        send: method<{ queue: string }>({ args: Args, access, run: (_args, call) => run(call) }),
        give: method<{ queue: string }>({
          args: Args,
          access,
          audited: { decision: 'issue', resource: ({ queue }) => `${queue} to kim` },
          run: (_args, call) => run(call),
        }),
        tell: method<{ queue: string }>({ args: Args, access, oneWay: true, run: (args) => void noted.push(args) }),
      },
    },
  ];
}

describe('createInvoke()', () => {
  let tracing: Tracing;
  before(async () => {
    const place = { version: '1', environment: 'test', region: 'test' };
    tracing = await startTracing({ otlpEndpoint: null, tracesKept: 1000, ...place });
  });
  after(() => tracing.stop());

  async function create(t: TestContext, given: { run?: (call: Call) => unknown; budget?: number } = {}) {
    const dir = join(await createFolder(t), 'audit');
    const telemetry = createTestTelemetry();
    const audit = createAudit({ dir, config: { auditFileMaxBytes: 1_000_000 }, telemetry });
    t.after(() => audit.stop());
    const denied: string[] = [];
    const noted: unknown[] = [];
    const budget = createCallBudget(given.budget ?? 1000);
    const { invoke, note } = createInvoke({
      capabilities: createCapabilities(given.run ?? (() => 'sent'), noted),
      permissions: createPermissions({
        plugins: [{ name: 'orders', permissions: { jobs: { queues: ['orders.bill'] } } }],
        grants: { version: 1, grants: { orders: { jobs: ['orders.bill'] } } } as never,
      }),
      audit,
      telemetry,
      callTimeoutMs: 5000,
      budgetOf: () => budget,
      onDenied: ({ plugin }) => denied.push(plugin.name),
    });
    const instance = createFakeInstance('orders');
    return {
      telemetry,
      denied,
      noted,
      records: () => readAudit({ dir, limit: 100 }),
      auditDir: dir,
      stopAudit: () => audit.stop(),
      call: async (request: Partial<InvokeRequest> = {}) =>
        invoke(instance, {
          method: 'jobs.send',
          args: { queue: 'orders.bill' },
          traceparent,
          onCancel: () => undefined,
          ...request,
        }),
      note: (request: { method?: string; args?: unknown } = {}) =>
        note(instance, { method: 'jobs.tell', args: { queue: 'orders.bill' }, traceparent, ...request }),
      async counted(outcome: string, capability = 'jobs.send'): Promise<number> {
        const { body } = await telemetry.metrics.render();
        const labels = `{plugin="orders",capability="${capability}",outcome="${outcome}"}`;
        const line = body
          .split('\n')
          .find((text) => text.startsWith(`returnit_plugin_capability_calls_total${labels} `));
        return Number(line?.split(' ')[1] ?? 0);
      },
      lastSpan() {
        const span = tracing.recentSpans(traceId).at(-1);
        assert.ok(span !== undefined);
        return span;
      },
    };
  }

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
