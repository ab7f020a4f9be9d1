import { readFileSync } from 'node:fs';
import { Type } from 'typebox';
import type { RouteTable } from '#core/http/route-table.ts';
import { assetTypes, type StaticAssets } from '#core/http/static-assets.ts';

const file = new URL('../live/client/live-client.js', import.meta.url);

/**
 * The module that browsers follow live channels with: at one address that pages can write down, to be asked for again
 * each time by its tag, and at one with its hash that `Content-Location` names.
 */
export function addLiveClientRoute(routes: RouteTable, assets: StaticAssets): void {
  const text = readFileSync(file, 'utf8');
  const hashed = assets.add({ name: 'live-client', extension: 'js', text });
  routes.add({
    verb: 'GET',
    path: '/live-client.js',
    owner: { name: 'core', id: 'core' },
    summary: 'The ES module with which a page follows live channels',
    roles: 'public',
    content: { 'text/javascript': Type.String() },
    run: () => ({
      status: 200,
      text,
      contentType: assetTypes.js,
      headers: { 'cache-control': 'no-cache', 'content-location': hashed },
    }),
  });
}
