import type pg from 'pg';

/** Records that a plugin gets an event from now on, also while it is down. */
export async function addSubscription(pool: pg.Pool, plugin: string, event: string): Promise<void> {
  await pool.query(
    'insert into returnit.event_subscription (event, plugin) values ($1, $2) on conflict (event, plugin) do nothing',
    [event, plugin],
  );
}

/**
 * Removes the subscriptions that a plugin no longer makes. To be called when the plugin is ready: before that, an event
 * it has not asked for yet may be one it is about to ask for.
 *
 * @returns the events it gets no more
 */
export async function keepSubscriptions(
  pool: pg.Pool,
  plugin: string,
  events: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ event: string }>(
    'delete from returnit.event_subscription where plugin = $1 and event <> all($2::text[]) returning event',
    [plugin, events],
  );
  return rows.map((row) => row.event);
}

/** The subscribers of these events, read in the relay's own transaction. */
export async function findSubscribers(
  client: pg.ClientBase,
  events: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const subscribers = new Map<string, string[]>();
  if (events.length === 0) return subscribers;
  const { rows } = await client.query<{ event: string; plugin: string }>(
    'select event, plugin from returnit.event_subscription where event = any($1::text[])',
    [events],
  );
  for (const { event, plugin } of rows) subscribers.set(event, [...(subscribers.get(event) ?? []), plugin]);
  return subscribers;
}
