import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import type { AppError } from '#core/errors/app-error.ts';
import { toSandboxLimits } from '#core/plugin-host/sandbox/sandbox-limits.ts';
import { breakouts } from '../../fixtures/plugins/hostile/breakouts.ts';
import { exhaustions } from '../../fixtures/plugins/hostile/exhaustions.ts';
import { forgeries } from '../../fixtures/plugins/hostile/forgeries.ts';
import { supervisePlugin, type SupervisedPlugin } from '../../support/supervised-plugin.ts';
import { until } from '../../support/until.ts';

const timeout = 30_000;
const core = new URL('../../../core/', import.meta.url).href;

/** Refused by JavaScript itself, because what was asked for is gone or frozen: the error's text. */
const goneOrFrozen =
  /is not a constructor|is not a function|of undefined|Cannot (redefine|delete|assign)|Code generation from strings disallowed|must be of type function|environment: \{\}|setup\(\) has finished|Access to this API has been restricted/;

const deaths: Readonly<Record<string, RegExp>> = {
  'close the channel': /^(exit|protocol)$/,
  'prototype pollution': /^crash$/,
  'endless loop': /^loop$/,
  'endless microtasks': /^loop$/,
  'Atomics.wait': /^loop$/,
  'catastrophic regex': /^loop$/,
  'fill the heap': /^oom-(heap|fatal)$/,
  'one huge array': /^oom-(heap|fatal)$/,
  'fill memory with buffers': /^rss$/,
  'unhandled rejection': /^crash$/,
  'uncaught exception': /^crash$/,
  'process.exit': /^exit$/,
};

/** Neither refused nor deadly: bounded by the channel, so that it harms nobody but itself. */
const bounded: ReadonlySet<string> = new Set(['note flood', 'output flood']);

function startHostile(): Promise<SupervisedPlugin> {
  return supervisePlugin({
    folder: 'hostile',
    limits: { rssMiB: 300, quarantineDeaths: 1000 },
    invoke: ({ method }) => (method === 'cache.hang' ? new Promise(() => {}) : method === 'cache.get' ? {} : null),
  });
}

/** How long a neighbour may take is what the product allows, not what the other tests shorten. */
const { heartbeatMs, loopMs } = toSandboxLimits(loadConfig({}));
const productTimes = { heartbeatMs, loopMs };

/** A second plugin that must not notice: each attempt is framed by an answer of it. */
function startNeighbour(): Promise<SupervisedPlugin> {
  return supervisePlugin({
    folder: 'echo',
    limits: productTimes,
    invoke: ({ method }) => (method === 'cache.get' ? {} : null),
  });
}

describe('a hostile plugin', { timeout: 240_000 }, () => {
  it('is denied every way out', { timeout: 60_000 }, async (t) => {
    await using plugin = await startHostile();
    assert.equal(await plugin.supervisor.start(), 'ready');
    const { instance } = plugin.supervisor;
    for (const attempt of Object.keys(breakouts)) {
      await t.test(attempt, { timeout }, async () => {
        await assert.rejects(plugin.run('hostile.attempt', { attempt, core }), (error: AppError) => {
          assert.equal(error.code, 'PLUGIN_FAILED');
          const named = error.details['code'] === 'NOT_CAPABLE' || goneOrFrozen.test(error.message);
          assert.ok(named, `not a named denial: ${error.message}`);
          return true;
        });
      });
    }
    assert.equal(plugin.supervisor.instance, instance, 'it was denied, not killed');
    const registered = plugin.calls.filter(({ method }) => /^(http\.route|jobs\.work|jobs\.schedule)$/.test(method));
    assert.equal(registered.length, 2, 'what setup() registered, and nothing later');
    assert.equal(existsSync('/tmp/hostile.sqlite'), false);
  });

  for (const attempt of Object.keys({ ...forgeries, ...exhaustions })) {
    it(`ends alone at: ${attempt}`, { timeout }, async () => {
      await using neighbour = await startNeighbour();
      await using plugin = await startHostile();
      await Promise.all([neighbour.supervisor.start(), plugin.supervisor.start()]);
      const neighbourInstance = neighbour.supervisor.instance;
      const died = plugin.died();
      const outcome = plugin.run('hostile.attempt', { attempt }).then(
        () => 'done',
        (error: AppError) => error,
      );
      let ended = false;
      const end = deaths[attempt] === undefined && attempt in exhaustions ? outcome : died;
      void end.then(() => (ended = true));
      while (!ended) {
        await neighbour.run('echo.calls', { count: 20 }).catch((error: unknown) => {
          throw new Error(`neighbour: ${JSON.stringify(neighbour.supervisor.lastDeath)}`, { cause: error });
        });
      }

      if (bounded.has(attempt)) assert.equal(await outcome, 'done');
      else if (end === outcome) assert.match(((await outcome) as AppError).message, /Cannot (finish|call|reach)/);
      else assert.match((await died).reason, deaths[attempt] ?? /^protocol$/, (await died).message);
      assert.equal(neighbour.supervisor.instance, neighbourInstance);
      await neighbour.run('echo.calls', { count: 1 });
    });
  }

  it('cannot pollute prototypes of the core', { timeout }, async () => {
    await using plugin = await startHostile();
    await plugin.supervisor.start();
    plugin.run('hostile.attempt', { attempt: 'prototype pollution' }).catch(() => {});
    await until('it called', () => plugin.calls.some(({ method }) => method === 'cache.set'));
    const { args } = plugin.calls.find(({ method }) => method === 'cache.set') ?? {};
    assert.equal(Object.hasOwn(args as object, '__proto__'), false);
    assert.equal(Object.hasOwn((args as { value: object }).value, '__proto__'), false);
    assert.equal((Object.assign({}, args) as { polluted?: number }).polluted, undefined);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });

  it('floods its own log alone: output is cut by rate', { timeout }, async () => {
    await using plugin = await startHostile();
    await plugin.supervisor.start();
    const lines = (): number => plugin.logs.filter(({ stream }) => stream === 'stdout').length;
    await plugin.run('hostile.attempt', { attempt: 'output flood' });
    await until('what was dropped is told', () =>
      plugin.logs.some(({ msg }) => /output of plugin dropped/.test(String(msg))),
    );
    await plugin.supervisor.stop();
    assert.ok(lines() >= 1 && lines() <= 2000, `${lines()} lines`);
  });
});
