import type pg from 'pg';

/**
 * What PUBLIC may call in Postgres and a plugin should not: advisory locks (one key space for all, so a plugin could
 * hold up migrations and pg-boss), large objects (storage outside its tables), messages into the log of changes.
 * Only a superuser can revoke these; elsewhere they stay open, and the README says so.
 */
export async function revokeDangerousFunctions(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ signature: string }>(`
    select function.oid::regprocedure::text as signature
    from pg_catalog.pg_proc function
    where function.pronamespace = 'pg_catalog'::regnamespace
      and (function.proname ~ '^pg_(try_)?advisory_' or function.proname ~ '^lo_' or function.proname in ('loread', 'lowrite', 'pg_logical_emit_message'))
      and pg_catalog.has_function_privilege('public', function.oid, 'execute')
      and (select rolsuper from pg_catalog.pg_roles where rolname = current_user)
  `);
  if (rows.length > 0)
    await client.query(`revoke execute on function ${rows.map((row) => row.signature).join(', ')} from public`);
}
