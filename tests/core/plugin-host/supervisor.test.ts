import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { AppError } from '#core/errors/app-error.ts';
import { listDeaths } from '#core/plugin-host/deaths.ts';
import { supervisePlugin } from '../../support/supervised-plugin.ts';

const deadly: Record<string, { reason: string; message?: RegExp; profile?: true }> = {
  'throw later': { reason: 'crash', message: /thrown later[^]*plugin\.ts/ },
  'reject unhandled': { reason: 'crash', message: /nobody caught me/ },
  exit: { reason: 'exit', message: /code 3/ },
  'js loop': { reason: 'loop', profile: true },
  'microtask loop': { reason: 'loop', profile: true },
  'atomics wait': { reason: 'loop' },
  'catastrophic regex': { reason: 'loop' },
  heap: { reason: 'oom', message: /heap/i },
  'heap at once': { reason: 'oom', message: /heap/i },
  buffers: { reason: 'rss', message: /MiB of resident memory: at most 200 MiB/ },
};

describe('createSupervisor()', { timeout: 120_000 }, () => {
  for (const [way, expected] of Object.entries(deadly)) {
    it(`types the death by ${way}, restarts the plugin and keeps a record`, async () => {
      await using plugin = await supervisePlugin({
        folder: 'deaths',
        limits: { rssMiB: way === 'buffers' ? 200 : 1024 },
      });
      assert.equal(await plugin.supervisor.start(), 'ready');
      const first = plugin.supervisor.instance;
      const died = plugin.died();
      const call = plugin.run('deaths.die', { way }).catch((error: unknown) => error);
      const death = await died;
      if (expected.reason === 'oom') assert.match(death.reason, /^oom-(heap|fatal)$/);
      else assert.equal(death.reason, expected.reason, death.message);
      assert.match(death.message, expected.message ?? /./);
      assert.equal(first?.gone.aborted, true);
      const failure = await call;
      // A handler that leaves its bomb behind has answered before it goes off.
      if (failure !== null) assert.equal((failure as AppError).code, 'PLUGIN_UNAVAILABLE');
      await plugin.reached('ready');
      assert.notEqual(plugin.supervisor.instance?.id, first?.id);

      const [record] = await listDeaths(plugin.dataDir, 'deaths');
      assert.equal(record?.reason, death.reason);
      if (expected.profile === true) {
        assert.match(await readFile(record?.profile ?? '', 'utf8'), /deaths\/plugin\.ts/);
      }
      const { body } = await plugin.metrics.render();
      assert.match(body, new RegExp(`returnit_plugin_restarts_total\\{plugin="deaths",reason="${death.reason}"\\} 1`));
    });
  }
});
