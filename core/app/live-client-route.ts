import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Type } from 'typebox';
import type { RouteTable } from '#core/http/route-table.ts';

const file = new URL('../live/client/live-client.js', import.meta.url);

/** The module that browsers follow live channels with: at one address, asked for again by its hash. */
export function addLiveClientRoute(routes: RouteTable): void {
  const text = readFileSync(file, 'utf8');
  const etag = `"${hash('sha256', text, 'base64url')}"`;
  const headers = { etag, 'cache-control': 'public, max-age=300', 'x-content-type-options': 'nosniff' };
  routes.add({
    verb: 'GET',
    path: '/live-client.js',
    owner: { name: 'core', id: 'core' },
    summary: 'The ES module with which a page follows live channels',
    roles: 'public',
    content: { 'text/javascript': Type.String() },
    run: (request) =>
      request.headers['if-none-match'] === etag
        ? { status: 304, headers }
        : { status: 200, text, contentType: 'text/javascript; charset=utf-8', headers },
  });
}
