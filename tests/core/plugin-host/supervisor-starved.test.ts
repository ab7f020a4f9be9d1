import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { describe, it } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import { toSandboxLimits } from '#core/plugin-host/sandbox/sandbox-limits.ts';
import { supervisePlugin } from '../../support/supervised-plugin.ts';

const script = new URL('../../fixtures/busy-process.ts', import.meta.url).pathname;
/** The processes end by themselves, so that none is left behind whatever happens to the test. */
const busyMs = 40_000;

/** Takes the processors away: what runs beside these gets an eighth of one at most. */
async function starve(): Promise<AsyncDisposable> {
  const processes = Array.from({ length: 8 * availableParallelism() }, () =>
    // Each in a session of its own, as plugins are: the kernel may share out the processors by session.
    spawn(process.execPath, [script, String(busyMs)], { stdio: ['ignore', 'pipe', 'ignore'], detached: true }),
  );
  await Promise.all(processes.map(({ stdout }) => once(stdout, 'data')));
  return { [Symbol.asyncDispose]: async () => void (await Promise.all(processes.map(end))) };
}

async function end(busy: ChildProcess): Promise<void> {
  if (busy.exitCode !== null || busy.signalCode !== null) return;
  const ended = once(busy, 'exit');
  busy.kill('SIGKILL');
  await ended;
}

const limits = { ...toSandboxLimits(loadConfig({})), bootTimeoutMs: 60_000 };

describe('a plugin on a starved machine', { timeout: 120_000 }, () => {
  it('lives while it returns to its event loop, however long each callback takes', async (t) => {
    await using plugin = await supervisePlugin({ folder: 'echo', limits });
    assert.equal(await plugin.supervisor.start(), 'ready');
    const { instance } = plugin.supervisor;
    await using _busy = await starve();
    const startedAtMs = performance.now();
    await plugin.run('echo.busy', { cpuMs: 700, times: 3 }, { timeoutMs: 60_000 });
    const tookMs = performance.now() - startedAtMs;
    t.diagnostic(`2100 ms of processor time took ${Math.round(tookMs)} ms`);
    assert.equal(plugin.supervisor.instance, instance, JSON.stringify(plugin.supervisor.lastDeath));
  });

  it('dies of its endless loop, and of nothing else', async () => {
    await using plugin = await supervisePlugin({ folder: 'deaths', limits: { heartbeatMs: 250, loopMs: 500 } });
    assert.equal(await plugin.supervisor.start(), 'ready');
    await using _busy = await starve();
    const died = plugin.died();
    plugin.run('deaths.die', { way: 'js loop' }, { timeoutMs: 60_000 }).catch(() => {});
    const death = await died;
    assert.equal(death.reason, 'loop', death.message);
    assert.match(death.profile ?? '', /deaths\/plugin\.ts/);
  });

  it('boots later than its heartbeat and is watched all the same', async () => {
    await using _busy = await starve();
    await using plugin = await supervisePlugin({
      folder: 'deaths',
      limits: { heartbeatMs: 50, bootTimeoutMs: 60_000 },
    });
    assert.equal(await plugin.supervisor.start(), 'ready');
    const died = plugin.died();
    plugin.run('deaths.die', { way: 'microtask loop' }, { timeoutMs: 60_000 }).catch(() => {});
    assert.equal((await died).reason, 'loop');
  });
});
