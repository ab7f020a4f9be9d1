import { hash } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { AppError } from '#core/errors/app-error.ts';
import type { RouteTable } from './route-table.ts';
import type { RouteResponse } from './route.ts';

export interface StaticAsset {
  /** Without the dot-separated ending: `live-client`. */
  readonly name: string;
  readonly extension: 'js' | 'css';
  readonly text: string;
}

export interface StaticAssets {
  /** @returns where it is found, by the hash of what it is: `/assets/live-client.<hash>.js` */
  add(asset: StaticAsset): string;
}

/** What stays the same under an address that has its hash: nobody needs to ask for it again. */
const immutable = 'public, max-age=31536000, immutable';
const hashLength = 16;

export const assetTypes = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
} as const;

const Params = Type.Object(
  { file: Type.String({ pattern: '^[a-z0-9-]{1,60}\\.[A-Za-z0-9_-]{16}\\.(?:js|css)$' }) },
  { additionalProperties: false },
);

/** The files that the core's own pages load. */
export function createStaticAssets(routes: RouteTable): StaticAssets {
  const files = new Map<string, RouteResponse>();
  routes.add({
    verb: 'GET',
    path: '/assets/{file}',
    owner: { name: 'core', id: 'core' },
    summary: "A file of the core's own pages; its name has the hash of what is in it",
    roles: 'public',
    params: Params,
    content: { 'text/javascript': Type.String(), 'text/css': Type.String() },
    run({ params }) {
      const { file } = params as Static<typeof Params>;
      const found = files.get(file);
      // An old page may name a file of an earlier release: what is not there may be elsewhere, and is not kept.
      if (found === undefined) throw new AppError('NOT_FOUND', `Cannot find the file "${file}": this release has none`);
      return found;
    },
  });
  return {
    add({ name, extension, text }) {
      const file = `${name}.${hash('sha256', text, 'base64url').slice(0, hashLength)}.${extension}`;
      files.set(file, {
        status: 200,
        text,
        contentType: assetTypes[extension],
        headers: { 'cache-control': immutable },
      });
      return `/assets/${file}`;
    },
  };
}
