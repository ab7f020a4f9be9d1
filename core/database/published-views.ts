import type pg from 'pg';
import { AppError } from '#core/errors/app-error.ts';
import { quoteIdentifier, toSchema } from './identifiers.ts';

export interface UnresolvedRead {
  readonly plugin: string;
  /** `tracking.driver_position`. */
  readonly view: string;
}

interface PluginRow {
  readonly role: string;
  readonly name: string;
  readonly publishes: readonly string[];
  readonly reads: readonly string[];
}

interface Grant {
  readonly owner: string;
  readonly schema: string;
  /** Null: a privilege on the schema itself. */
  readonly relation: string | null;
  /** Null: PUBLIC. */
  readonly grantee: string | null;
  /** `USAGE`, `SELECT`; of a column, with its name: `SELECT (name)`. */
  readonly privilege: string;
}

/**
 * Makes the privileges between plugins what the registry says, for all plugins that ever ran on this database: USAGE on
 * the owner's schema and SELECT on exactly the published views, nothing else, whatever a migration granted.
 *
 * A view runs with its owner's rights, so the reader needs none on the tables below it (`security_invoker` stays off).
 * `security_barrier` is set, since otherwise a reader's own function in a `where` clause sees rows that the view hides.
 */
export async function reconcileViews(client: pg.PoolClient): Promise<readonly UnresolvedRead[]> {
  const { rows: plugins } = await client.query<PluginRow>(
    'select role, name, publishes, reads from returnit.plugin order by name',
  );
  const published = new Map(
    plugins.flatMap((owner) => owner.publishes.map((view) => [`${owner.name}.${view}`, { owner, view }])),
  );
  await assertViewsExist(client, plugins);
  const unresolved: UnresolvedRead[] = [];
  const wanted: (Grant & { readonly grantee: string })[] = [];
  for (const reader of plugins) {
    for (const name of reader.reads) {
      const found = published.get(name);
      if (found === undefined) {
        unresolved.push({ plugin: reader.name, view: name });
        continue;
      }
      const base = { owner: found.owner.role, schema: toSchema(found.owner.name), grantee: reader.role };
      wanted.push(
        { ...base, relation: null, privilege: 'USAGE' },
        { ...base, relation: found.view, privilege: 'SELECT' },
      );
    }
  }
  const wantedKeys = new Set(wanted.map(toKey));
  for (const grant of await readGrants(client, plugins)) {
    if (!wantedKeys.has(toKey(grant))) await asOwner(client, grant.owner, toRevoke(grant));
  }
  // Read again: what was revoked of a view takes with it all that its reader had of it.
  const held = new Set((await readGrants(client, plugins)).map(toKey));
  for (const grant of wanted) if (!held.has(toKey(grant))) await asOwner(client, grant.owner, toGrant(grant));
  return unresolved;
}

function toKey({ schema, relation, grantee, privilege }: Grant): string {
  return JSON.stringify([schema, relation, grantee, privilege]);
}

async function assertViewsExist(client: pg.PoolClient, plugins: readonly PluginRow[]): Promise<void> {
  for (const plugin of plugins) {
    for (const view of plugin.publishes) {
      const schema = toSchema(plugin.name);
      const { rows } = await client.query<{ kind: string; barrier: boolean }>({
        text: `select relation.relkind as kind, coalesce('security_barrier=true' = any(relation.reloptions), false) as barrier
          from pg_catalog.pg_class relation join pg_catalog.pg_namespace space on space.oid = relation.relnamespace
          where space.nspname = $1 and relation.relname = $2 and relation.relkind in ('v', 'm')`,
        values: [schema, view],
      });
      const found = rows[0];
      if (found === undefined) {
        throw new AppError(
          'MIGRATION_FAILED',
          `Cannot publish view "${plugin.name}.${view}": the migrations of "${plugin.name}" make no view of this name`,
          {
            details: { plugin: plugin.name, view },
          },
        );
      }
      if (found.kind === 'v' && !found.barrier) {
        await asOwner(
          client,
          plugin.role,
          `alter view ${quoteIdentifier(schema)}.${quoteIdentifier(view)} set (security_barrier = true)`,
        );
      }
    }
  }
}

/** What others than the owner (and the core) hold in the plugins' schemas. */
async function readGrants(client: pg.PoolClient, plugins: readonly PluginRow[]): Promise<readonly Grant[]> {
  const { rows } = await client.query<Grant>({
    text: `
      with plugin as (select * from unnest($1::text[], $2::text[]) as plugin(role, schema)),
      acl as (
        select plugin.role, space.nspname, null::name as relname, acl.grantee, acl.privilege_type
        from plugin join pg_catalog.pg_namespace space on space.nspname = plugin.schema
        cross join lateral pg_catalog.aclexplode(space.nspacl) acl
        union
        select plugin.role, space.nspname, relation.relname, acl.grantee, acl.privilege_type
        from plugin join pg_catalog.pg_namespace space on space.nspname = plugin.schema
        join pg_catalog.pg_class relation on relation.relnamespace = space.oid and relation.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        cross join lateral pg_catalog.aclexplode(relation.relacl) acl
        union
        select plugin.role, space.nspname, relation.relname, acl.grantee, acl.privilege_type || ' (' || attribute.attname || ')'
        from plugin join pg_catalog.pg_namespace space on space.nspname = plugin.schema
        join pg_catalog.pg_class relation on relation.relnamespace = space.oid
        join pg_catalog.pg_attribute attribute on attribute.attrelid = relation.oid
        cross join lateral pg_catalog.aclexplode(attribute.attacl) acl
      )
      select acl.role as owner, acl.nspname::text as schema, acl.relname::text as relation, grantee.rolname::text as grantee,
        acl.privilege_type as privilege
      from acl left join pg_catalog.pg_roles grantee on grantee.oid = acl.grantee
      where acl.grantee = 0 or (grantee.rolname <> acl.role and grantee.rolname in (select role from plugin))`,
    values: [plugins.map((plugin) => plugin.role), plugins.map((plugin) => toSchema(plugin.name))],
  });
  return rows;
}

function toTarget({ schema, relation }: Grant): string {
  return relation === null
    ? `schema ${quoteIdentifier(schema)}`
    : `table ${quoteIdentifier(schema)}.${quoteIdentifier(relation)}`;
}

function toGrant(grant: Grant & { readonly grantee: string }): string {
  return `grant ${grant.relation === null ? 'usage' : 'select'} on ${toTarget(grant)} to ${quoteIdentifier(grant.grantee)}`;
}

function toRevoke(grant: Grant): string {
  return `revoke all on ${toTarget(grant)} from ${grant.grantee === null ? 'public' : quoteIdentifier(grant.grantee)} cascade`;
}

/** As the owner: the core's role need not be a superuser, and only the grantor's own grants can be revoked. */
async function asOwner(client: pg.PoolClient, role: string, statement: string): Promise<void> {
  await client.query('begin');
  try {
    await client.query(`set local role ${quoteIdentifier(role)}`);
    await client.query(statement);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}
