import { Type, type Static } from 'typebox';
import { method, type Capability } from '../capability.ts';
import { permissionNames, refusedPermissions } from '../permissions/permission-names.ts';
import type { Permissions } from '../permissions/permissions.ts';

const QueryArgs = Type.Object(
  {
    name: Type.Enum([...permissionNames, ...(Object.keys(refusedPermissions) as (keyof typeof refusedPermissions)[])]),
    resource: Type.String({ minLength: 1, maxLength: 2048 }),
  },
  { additionalProperties: false },
);

/** `ctx.permissions.query`: how a plugin learns what it may without trying. It asks for nothing, and is no denial. */
export function createPermissionsCapability({ permissions }: { readonly permissions: Permissions }): Capability {
  return {
    name: 'permissions',
    methods: {
      query: method<Static<typeof QueryArgs>>({
        args: QueryArgs,
        immediate: true,
        run: ({ name, resource }, call) => ({
          state: permissions.check(call.instance.plugin.name, { permission: name, resource }).state,
        }),
      }),
    },
  };
}
