import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { supervisePlugin, type SupervisedPlugin } from '../../support/supervised-plugin.ts';
import { until } from '../../support/until.ts';

const timeout = 30_000;
const traceId = 'a'.repeat(32);

interface Repeating extends AsyncDisposable {
  readonly plugin: SupervisedPlugin;
  /** A run, as the core's timer begins it. */
  run(timeoutMs?: number): Promise<unknown>;
  /** What its runs have logged: a run has begun, and has ended. */
  told(message: string): readonly unknown[];
  open(): void;
}

/** A plugin whose repeated work waits for a gate of the test. */
async function startRepeating(): Promise<Repeating> {
  const gate = Promise.withResolvers<object>();
  const plugin = await supervisePlugin({
    folder: 'repeating',
    traceparent: () => `00-${traceId}-${'b'.repeat(16)}-01`,
    invoke: ({ method }) => (method === 'cache.get' ? gate.promise : null),
  });
  assert.equal(await plugin.supervisor.start(), 'ready');
  const registered = plugin.calls.find(({ method }) => method === 'repeat.start')?.args as { handler: number };
  assert.deepEqual(registered, { name: 'look', everyMs: 60_000, handler: registered.handler });
  return {
    plugin,
    async run(timeoutMs = 20_000) {
      return plugin.supervisor.instance?.handle(registered.handler, {}, { timeoutMs });
    },
    told: (message) =>
      plugin.notes
        .map(({ args }) => args as { message: string; fields: unknown })
        .filter((line) => line.message === message)
        .map(({ fields }) => fields),
    open: () => gate.resolve({}),
    [Symbol.asyncDispose]: () => plugin[Symbol.asyncDispose](),
  };
}

describe('ctx.repeat()', { timeout: 120_000 }, () => {
  it('runs in a trace, to which its calls belong', { timeout }, async () => {
    await using repeating = await startRepeating();
    repeating.open();
    await repeating.run();
    assert.deepEqual(repeating.told('began'), [{ traceId }]);
    const call = repeating.plugin.calls.find(({ method }) => method === 'cache.get');
    assert.equal(call?.traceparent?.split('-')[1], traceId);
  });

  it('aborts the signal of a run that takes too long, and begins none while it goes on', { timeout }, async () => {
    await using repeating = await startRepeating();
    await assert.rejects(repeating.run(50), { code: 'TIMEOUT' });
    const next = repeating.run();
    // It reaches the plugin before what opens the gate does: both go the same way.
    repeating.open();
    await next;
    assert.deepEqual([repeating.told('began').length, repeating.told('ended')], [1, [{ aborted: true }]]);
    await repeating.run();
    assert.equal(repeating.told('began').length, 2);
  });

  it('lets a run finish before the plugin is stopped', { timeout }, async () => {
    await using repeating = await startRepeating();
    const running = repeating.run();
    await until('it has begun', () => repeating.told('began').length === 1);
    const stopped = repeating.plugin.supervisor.stop();
    const hasStopped = (): boolean => repeating.plugin.logs.some(({ msg }) => msg === 'stopped');
    await assert.rejects(repeating.run(), { code: 'PLUGIN_UNAVAILABLE' });
    assert.equal(hasStopped(), false);
    repeating.open();
    await running;
    await stopped;
    assert.deepEqual(repeating.told('ended'), [{ aborted: false }]);
    assert.ok(hasStopped());
  });

  it('is refused after setup()', { timeout }, async () => {
    await using repeating = await startRepeating();
    await assert.rejects(
      repeating.plugin.run('repeating.late', {}),
      /Cannot register repeated work late: setup\(\) has finished, register all in it/,
    );
  });
});
