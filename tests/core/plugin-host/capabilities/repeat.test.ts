import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import { compileArguments } from '#core/plugin-host/call-arguments.ts';
import type { Capability } from '#core/plugin-host/capability.ts';
import { createRepeatCapability } from '#core/plugin-host/capabilities/repeat.ts';
import { withSpan, type Tracing } from '#core/telemetry/tracing.ts';
import { callCapability, createFakeInstance, type FakeInstance } from '../../../support/fake-instance.ts';
import { createTestTelemetry } from '../test-telemetry.ts';
import { startTestTracing } from '../../../support/test-tracing.ts';

const everyMs = 15_000;

describe('repeat.start', () => {
  let telemetry: ReturnType<typeof createTestTelemetry>;
  let tracing: Tracing;
  let capability: Capability;
  let instance: FakeInstance;
  /** How each run that was begun is ended. */
  let runs: PromiseWithResolvers<null>[];

  beforeEach(async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    tracing = await startTestTracing();
    telemetry = createTestTelemetry();
    capability = createRepeatCapability({ telemetry, config: { jobTimeoutMs: 500 } });
    instance = createFakeInstance('orders');
    runs = [];
  });
  afterEach(async () => {
    instance.die();
    mock.timers.reset();
    await tracing.stop();
  });

  const start = (name: string, process = instance): Promise<unknown> => {
    const handler = process.add(() => {
      const run = Promise.withResolvers<null>();
      runs.push(run);
      return run.promise;
    });
    return callCapability(capability, process, { method: 'start', args: { name, everyMs, handler } });
  };
  /** Lets what has just been settled take its way. */
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const end = async (index: number, error?: Error): Promise<void> => {
    if (error === undefined) runs[index]?.resolve(null);
    else runs[index]?.reject(error);
    await settled();
  };
  const counts = async (name: string): Promise<Record<string, number>> => {
    const { body } = await telemetry.metrics.render();
    const samples = body.matchAll(/^returnit_plugin_repeats_total\{(.*)\} (\d+)$/gm);
    return Object.fromEntries(
      [...samples]
        .filter(([, labels]) => labels?.includes(`name="${name}"`) && labels.includes('plugin="orders"'))
        .map(([, labels, value]) => [/outcome="(\w+)"/.exec(labels ?? '')?.[1] ?? '', Number(value)]),
    );
  };

  it('runs at once and again after each interval, one at a time however slow', async () => {
    await start('figures');
    assert.equal(runs.length, 1);
    mock.timers.tick(3 * everyMs);
    assert.equal(runs.length, 1, 'the first still runs');
    await end(0);
    assert.equal(runs.length, 1, 'what was left out is not made up for');
    mock.timers.tick(everyMs - 1);
    assert.equal(runs.length, 1);
    mock.timers.tick(1);
    assert.equal(runs.length, 2);
  });

  it('counts every outcome from the start, so that the first failure is seen', async () => {
    await start('figures');
    assert.deepEqual(await counts('figures'), { ok: 0, error: 0, timeout: 0, unavailable: 0, cancelled: 0 });
    await end(0);
    assert.equal((await counts('figures'))['ok'], 1);
  });

  it('tells of a run that fails or takes too long, under its name and in its trace, and goes on', async () => {
    await start('figures');
    await end(0, new AppError('PLUGIN_FAILED', 'Cannot read the figures: no'));
    mock.timers.tick(everyMs);
    await settledSpans(2);
    mock.timers.tick(everyMs);
    await end(2);
    const counted = await counts('figures');
    assert.deepEqual([counted['ok'], counted['error'], counted['timeout']], [1, 1, 1]);
    const spans = tracing.recentSpans().filter(({ name }) => name === 'repeat figures');
    assert.deepEqual(spans.map(({ status }) => status).toSorted(), ['error', 'error', 'unset']);
    assert.deepEqual(
      telemetry.lines.map(({ level, msg, plugin, repeat, outcome }) => [level, msg, plugin, repeat, outcome]),
      ['error', 'timeout'].map((outcome) => [
        'warn',
        'Repeated work "figures" failed: it is run again',
        'orders',
        'figures',
        outcome,
      ]),
    );
    const failed = spans.filter(({ status }) => status === 'error').map(({ traceId }) => traceId);
    assert.deepEqual(new Set(telemetry.lines.map((line) => line['trace_id'])), new Set(failed));
  });

  /** Real time passes until so many runs have ended. */
  async function settledSpans(count: number): Promise<void> {
    while (tracing.recentSpans().filter(({ name }) => name === 'repeat figures').length < count) await settled();
  }

  it('gives each run a trace of its own, apart from that of the registration', async () => {
    await withSpan('the start of a plugin', {}, () => start('figures'));
    await end(0);
    mock.timers.tick(everyMs);
    await end(1);
    const [registration, ...spans] = [...tracing.recentSpans()].toSorted((a, b) => b.name.localeCompare(a.name));
    assert.equal(registration?.name, 'the start of a plugin');
    assert.deepEqual(
      spans.map(({ name, parentSpanId, attributes }) => [name, parentSpanId, attributes['returnit.plugin']]),
      [1, 2].map(() => ['repeat figures', undefined, 'orders']),
    );
    assert.equal(new Set([registration, ...spans].map(({ traceId }) => traceId)).size, 3);
  });

  it('ends with the process, without a warning, and goes on with the next one', async () => {
    await start('figures');
    instance.die();
    await settled();
    mock.timers.tick(10 * everyMs);
    assert.equal(runs.length, 1);
    assert.deepEqual(
      telemetry.lines.map(({ level }) => level),
      ['debug'],
    );
    instance = createFakeInstance('orders');
    await start('figures');
    await end(1);
    mock.timers.tick(everyMs);
    assert.equal(runs.length, 3);
    const counted = await counts('figures');
    assert.deepEqual([counted['ok'], counted['unavailable']], [1, 1]);
  });

  it('begins nothing for a process that is gone already', async () => {
    instance.die();
    await start('figures');
    mock.timers.tick(everyMs);
    assert.equal(runs.length, 0);
  });

  it('refuses a name twice, and more than twenty of a plugin in all its processes', async () => {
    await start('figures');
    await assert.rejects(start('figures'), {
      code: 'INVALID_CALL',
      message: 'Cannot repeat "figures": orders repeats another work of this name',
    });
    for (let count = 1; count < 20; count += 1) await start(`figures-${count}`);
    const refusal = { code: 'OVERLOADED', message: 'Cannot repeat "one-more": orders repeats 20 already' };
    await assert.rejects(start('one-more'), refusal);
    instance.die();
    const other = createFakeInstance('payments');
    await start('figures', other);
    other.die();
    instance = createFakeInstance('orders');
    await start('figures');
    await assert.rejects(start('one-more'), refusal);
  });

  const refused: readonly (readonly [string, object, RegExp])[] = [
    ['less than a second', { everyMs: 999 }, /\/everyMs must be >= 1000/],
    ['more than a day', { everyMs: 86_400_001 }, /\/everyMs must be <= 86400000/],
    ['what is no number', { everyMs: null }, /\/everyMs must be integer/],
    ['a name that is no word', { name: 'Figures of today' }, /\/name must match pattern/],
    ['a name too long', { name: 'x'.repeat(41) }, /\/name must match pattern/],
  ];
  for (const [what, changes, message] of refused) {
    it(`refuses ${what}`, () => {
      const args = capability.methods['start']?.args;
      assert.ok(args);
      const check = compileArguments('repeat.start', args);
      check({ name: 'figures', everyMs, handler: 1 });
      assert.throws(() => check({ name: 'figures', everyMs, handler: 1, ...changes }), {
        code: 'INVALID_CALL',
        message,
      });
    });
  }
});
