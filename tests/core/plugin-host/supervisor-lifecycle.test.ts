import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { AppError } from '#core/errors/app-error.ts';
import { supervisePlugin } from '../../support/supervised-plugin.ts';
import { until } from '../../support/until.ts';

const timeout = 30_000;

describe('createSupervisor() lifecycle', { timeout: 120_000 }, () => {
  it('is ready after setup() and all registrations, and answers calls', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'echo', env: { ECHO_KEY: 'granted' } });
    assert.equal(await plugin.supervisor.start(), 'ready');
    assert.deepEqual(
      plugin.calls.map(({ method }) => method),
      ['http.route', 'jobs.work', 'jobs.work', 'jobs.work'],
    );
    const [logged] = plugin.notes as { args: { fields?: object } }[];
    assert.deepEqual(logged?.args.fields, { env: { ECHO_KEY: 'granted' }, traceId: null });
    const reply = await plugin.supervisor.instance?.handle(1, { body: { value: 5 } });
    assert.deepEqual(reply, { status: 200, body: { value: 5 } });
  });

  it(
    'tells how much heap there is as what the plugin may fill, not what V8 counts beside it',
    { timeout },
    async () => {
      await using plugin = await supervisePlugin({ folder: 'echo', limits: { heapMiB: 48 } });
      await plugin.supervisor.start();
      await until('a sample has come', async () => {
        const { body } = await plugin.metrics.render();
        return body.includes(`returnit_plugin_heap_limit_bytes{plugin="echo"} ${48 * 1_048_576}\n`);
      });
    },
  );

  it('joins the calls that a handler makes to its trace', { timeout }, async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    await using plugin = await supervisePlugin({
      folder: 'echo',
      traceparent: () => traceparent,
      invoke: ({ method }) => (method === 'cache.get' ? {} : null),
    });
    await plugin.supervisor.start();
    await plugin.run('echo.calls', { count: 2 });
    const made = plugin.calls.filter(({ method }) => method === 'cache.get');
    assert.deepEqual(
      made.map((call) => call.traceparent),
      [traceparent, traceparent],
    );
  });

  it('tells each handler its own trace, also after calls that it waited for', { timeout }, async () => {
    const traceIds = ['a', 'b', 'c'].map((digit) => digit.repeat(32));
    const running: string[] = [...traceIds];
    await using plugin = await supervisePlugin({
      folder: 'echo',
      traceparent: () => `00-${running.shift()}-${'1'.repeat(16)}-01`,
      invoke: ({ method }) => (method === 'cache.get' ? {} : null),
    });
    await plugin.supervisor.start();
    await Promise.all(traceIds.map((_, index) => plugin.run('echo.calls', { count: index + 1 })));
    const told = plugin.notes
      .map(({ args }) => args as { message: string; fields: { traceId: string } })
      .filter(({ message }) => message === 'called')
      .map(({ fields }) => fields.traceId);
    assert.deepEqual(told.toSorted(), traceIds);
  });

  it('hands over what a query says of being kept', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'echo', invoke: () => ({ rows: [], rowCount: 0 }) });
    await plugin.supervisor.start();
    await plugin.run('echo.cached', {});
    assert.deepEqual(plugin.calls.find(({ method }) => method === 'db.query')?.args, {
      statement: { name: 'find_echo', text: 'select $1' },
      values: ['o1'],
      cache: { invalidatedBy: ['order.*'], ttlMs: 1000, keyedBy: { orderId: 'o1' } },
    });
  });

  it('quarantines after three deaths and comes back when released', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'boot-failure' });
    assert.equal(await plugin.supervisor.start(), 'backoff');
    assert.equal(plugin.supervisor.lastDeath?.reason, 'boot-failure');
    assert.match(plugin.supervisor.lastDeath?.message ?? '', /the tariff table is missing/);
    await plugin.reached('quarantined');
    assert.match((await plugin.metrics.render()).body, /returnit_plugin_quarantined\{plugin="boot-failure"\} 1/);
    assert.equal(await plugin.supervisor.release(), 'backoff');
    await assert.rejects(plugin.supervisor.release(), { code: 'PLUGIN_NOT_QUARANTINED' });
  });

  it('says where plugin code cannot be read', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'syntax-error' });
    await plugin.supervisor.start();
    assert.equal(plugin.supervisor.lastDeath?.reason, 'boot-failure');
    assert.match(plugin.supervisor.lastDeath?.message ?? '', /syntax-error\/plugin\.ts/);
  });

  it('ends a setup() that does not finish', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'boot-timeout', limits: { bootTimeoutMs: 500 } });
    await plugin.supervisor.start();
    assert.equal(plugin.supervisor.lastDeath?.reason, 'boot-timeout');
  });

  it('is failed, not restarted, when there is no plugin', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'no-such-plugin' });
    assert.equal(await plugin.supervisor.start(), 'failed');
  });

  it('stops twice as once, also while it waits to restart, and leaves no process', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'deaths', limits: { restartDelayMs: 30_000 } });
    await plugin.supervisor.start();
    const died = plugin.died();
    plugin.supervisor.kill('operator', 'killed by the operator');
    assert.equal((await died).reason, 'operator');
    assert.equal(plugin.supervisor.state, 'backoff');
    await Promise.all([plugin.supervisor.stop(), plugin.supervisor.stop()]);
    assert.equal(plugin.supervisor.state, 'stopped');
    assert.equal(await plugin.supervisor.start(), 'ready');
    const pid = pidOf(plugin);
    await plugin.supervisor.stop();
    await until('the process is gone', () => !existsSync(`/proc/${pid}`));
  });

  it('rejects a handler at its deadline and goes on', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'deaths' });
    await plugin.supervisor.start();
    await assert.rejects(plugin.run('deaths.die', { way: 'hang' }, { timeoutMs: 50 }), (error: AppError) => {
      assert.equal(error.code, 'TIMEOUT');
      return true;
    });
    await plugin.run('deaths.die', { way: 'nothing' });
    assert.equal(plugin.supervisor.state, 'ready');
  });

  it('types a process that is killed from outside as a crash and tells who waits', { timeout }, async () => {
    await using plugin = await supervisePlugin({ folder: 'deaths' });
    await plugin.supervisor.start();
    const died = plugin.died();
    const call = plugin.run('deaths.die', { way: 'hang' });
    process.kill(pidOf(plugin), 'SIGKILL');
    await assert.rejects(call, { code: 'PLUGIN_UNAVAILABLE' });
    const death = await died;
    assert.equal(death.reason, 'crash');
    assert.equal(death.signal, 'SIGKILL');
    assert.equal(death.callsInFlight.toPlugin, 1);
  });
});

function pidOf(plugin: Awaited<ReturnType<typeof supervisePlugin>>): number {
  const { pid } = plugin.supervisor;
  assert.ok(pid !== null);
  return pid;
}
