import type { Permissions } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';

export function createPermissions(core: CoreConnection): Permissions {
  return Object.freeze({
    query: async ({ name, resource }: Parameters<Permissions['query']>[0]) =>
      (await core.call('permissions.query', { name, resource })).state,
  });
}
