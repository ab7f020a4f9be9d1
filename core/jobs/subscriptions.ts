import type pg from 'pg';

export interface Subscription {
  readonly plugin: string;
  readonly event: string;
  /** Member of the data without which, or with null there, an event is none of its; null: it gets all. */
  readonly having: string | null;
}

/** Records that a plugin gets an event from now on, also while it is down. */
export async function addSubscription(pool: pg.Pool, { plugin, event, having }: Subscription): Promise<void> {
  await pool.query(
    `insert into returnit.event_subscription as known (event, plugin, member) values ($1, $2, $3)
     on conflict (event, plugin) do update set member = excluded.member
       where known.member is distinct from excluded.member`,
    [event, plugin, having],
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

/** The subscriptions to these events, read in the relay's own transaction. */
export async function findSubscriptions(
  client: pg.ClientBase,
  events: readonly string[],
): Promise<ReadonlyMap<string, readonly Subscription[]>> {
  if (events.length === 0) return new Map();
  const { rows } = await client.query<Subscription>(
    'select event, plugin, member as "having" from returnit.event_subscription where event = any($1::text[])',
    [events],
  );
  return Map.groupBy(rows, ({ event }) => event);
}
