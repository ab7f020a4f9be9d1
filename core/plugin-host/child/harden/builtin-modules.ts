/** Modules of Node that do nothing to the world. Everything else is refused, also what a later Node adds. */
const allowed: ReadonlySet<string> = new Set([
  'assert',
  'assert/strict',
  'async_hooks',
  'buffer',
  'crypto',
  'events',
  'path',
  'path/posix',
  'perf_hooks',
  'punycode',
  'querystring',
  'stream',
  'stream/promises',
  'stream/web',
  'string_decoder',
  'timers',
  'timers/promises',
  'url',
  'util',
  'util/types',
]);

/** What a plugin uses instead, by the module's or package's name. */
const instead: Readonly<Record<string, string>> = {
  fs: 'ctx.db or ctx.cache keep data, files that the plugin brings are imported, others need a grant of "read"',
  'fs/promises':
    'ctx.db or ctx.cache keep data, files that the plugin brings are imported, others need a grant of "read"',
  http: 'ctx.http takes requests, fetch() makes them',
  https: 'fetch() makes requests',
  http2: 'fetch() makes requests',
  net: 'fetch() makes requests',
  tls: 'fetch() makes requests',
  dgram: 'fetch() makes requests',
  dns: 'fetch() makes requests',
  sqlite: 'ctx.db is the database',
  child_process: 'ctx.jobs runs work apart from a request',
  worker_threads: 'ctx.jobs runs work apart from a request',
  cluster: 'ctx.jobs runs work apart from a request',
  process: 'ctx.env has the granted variables',
  os: 'ctx.env has the granted variables',
  pg: 'ctx.db is the database',
  'pg-boss': 'ctx.jobs sends and does jobs',
  mqtt: 'ctx.mqtt subscribes and publishes',
  ws: 'ctx.live streams to clients',
  koa: 'ctx.http takes requests',
  pino: 'ctx.log writes logs',
};

/** Only for a plugin with a `read` grant: the permission model confines them to its folder and the granted paths. */
const fileModules: ReadonlySet<string> = new Set(['fs', 'fs/promises']);

export type BuiltinPolicy = (name: string) => boolean;

/** @param files whether files outside the plugin's folder were granted */
export function createBuiltinPolicy(files: boolean): BuiltinPolicy {
  return (name) => {
    const bare = withoutScheme(name);
    return allowed.has(bare) || (files && fileModules.has(bare));
  };
}

export function insteadOf(specifier: string): string {
  const name = withoutScheme(specifier);
  return Object.hasOwn(instead, name) ? `: ${instead[name]}` : '';
}

export function withoutScheme(name: string): string {
  return name.startsWith('node:') ? name.slice('node:'.length) : name;
}
