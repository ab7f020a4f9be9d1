import type { PermissionName } from '#plugin-api';

/** What a plugin may ask for. */
export const permissionNames = ['http', 'db', 'jobs', 'events', 'mqtt', 'live', 'net', 'mail', 'env', 'read'] as const;
export type GrantablePermission = (typeof permissionNames)[number];

/** Deno's other permissions: they exist so that a manifest that asks for them is refused by name, with what to use instead. */
export const refusedPermissions = {
  write: 'no plugin may write files: keep data in its database schema (ctx.db)',
  run: 'no plugin may start programs: move the work to a job (ctx.jobs) or to a service reached by net',
  ffi: 'no plugin may load native code',
  import: 'no plugin may import code over the network: add an npm package instead',
  sys: 'no plugin may read facts of the machine: pass what it needs as an environment variable (env)',
} as const satisfies Partial<Record<PermissionName, string>>;

export function isGrantable(name: string): name is GrantablePermission {
  return (permissionNames as readonly string[]).includes(name);
}
