/** What clients of a plugin are told that has never been ready: its routes are not registered, but its manifest is known. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Problem } from '../support/api-client.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { projectDir } from '../support/project-copy.ts';

describe('paths of plugins that are not ready', () => {
  let platform: TestPlatform;

  before(async () => {
    platform = await startPlatform({
      fixtures: ['unbootable'],
      config: {
        plugins: ['orders', 'unbootable', 'faulty'],
        // Not in the lock: it is held.
        pluginPaths: [join(projectDir, 'tests/fixtures/platform/faulty')],
        // It stays between two starts as long as the test runs.
        pluginRestartDelayMs: 30_000,
      },
    });
  });
  after(() => platform?.stop());

  const ask = async (path: string): Promise<{ status: number; retryAfter: string | null; body: Problem }> => {
    const response = await fetch(`${platform.app.addresses.api}${path}`);
    const body = (await response.json()) as Problem;
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    return { status: response.status, retryAfter: response.headers.get('retry-after'), body };
  };

  it('answer 503, naming the plugin and its state, and when to come again', async () => {
    for (const { path, state, hint, retryAfter } of [
      {
        path: '/faulty/die/crash?now=1',
        state: 'held',
        hint: 'an operator must see to its lock',
        retryAfter: '60',
      },
      { path: '/unbootable', state: 'backoff', hint: 'try again later', retryAfter: '30' },
    ]) {
      const answer = await ask(path);
      const [plugin = ''] = path.slice(1).split(/[/?]/);
      assert.deepEqual(
        [answer.status, answer.retryAfter, answer.body.code],
        [503, retryAfter, 'PLUGIN_UNAVAILABLE'],
        path,
      );
      assert.equal(
        answer.body.detail,
        `Plugin "${plugin}", which answers this path, is not ready: its state is "${state}"; ${hint}`,
      );
    }
  });

  it('answer 404 where nobody has the path, or its plugin is ready without such a route', async () => {
    for (const path of ['/nothing', '/faultyish', '/orders/x/y/z', '/tracking/orders/1/position']) {
      const { status, body } = await ask(path);
      assert.deepEqual([status, body.code], [404, 'NOT_FOUND'], path);
    }
  });
});
