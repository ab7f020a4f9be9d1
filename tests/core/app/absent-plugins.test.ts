import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createAbsentPlugins, type AbsentPluginsOptions } from '#core/app/absent-plugins.ts';

type Plugin = AbsentPluginsOptions['admitted']['plugins'][number];
type Status = ReturnType<AbsentPluginsOptions['status']>[number];

function toPlugin(name: string, ...routes: string[]): Plugin {
  return {
    manifest: { name, permissions: { http: { routes } } },
  } as unknown as Plugin;
}

describe('createAbsentPlugins()', () => {
  let status: readonly Status[] = [];
  const outageOf = createAbsentPlugins({
    admitted: {
      plugins: [toPlugin('catalog', '/shop'), toPlugin('basket', '/shop/basket', '/carts/{cartId}'), toPlugin('quiet')],
      held: [],
    },
    status: () => status,
    config: { pluginRestartDelayMs: 1500 },
  });

  it('follows the state of the plugin with the longest prefix', () => {
    status = [
      { name: 'catalog', state: 'ready' },
      { name: 'basket', state: 'starting' },
    ];
    assert.match(outageOf('/shop/basket/1')?.detail ?? '', /^Plugin "basket", .*"starting"; try again later$/);
    assert.equal(outageOf('/carts/7/items')?.retryAfterSeconds, 2);
    assert.equal(outageOf('/shop/other'), undefined);
    status = [
      { name: 'catalog', state: 'quarantined' },
      { name: 'basket', state: 'ready' },
    ];
    assert.equal(outageOf('/shop/basket/1'), undefined);
    assert.equal(outageOf('/shop/other')?.retryAfterSeconds, 60);
  });

  it('knows nothing of paths that no plugin asks for, nor of plugins that nobody knows', () => {
    status = [{ name: 'catalog', state: 'failed' }];
    for (const path of ['/', '/shopping', '/carts', '/carts/1', '/*']) {
      assert.equal(outageOf(path), undefined, path);
    }
  });
});
