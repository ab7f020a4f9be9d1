import type { CredentialDatabase } from './credential-store.ts';

/** A session of a plugin's connection at an external broker. */
export interface BrokerSession {
  readonly clientId: string;
  readonly plugin: string;
  readonly filters: readonly string[];
}

/** Who answers for which session, by the database's clock. Every method throws what the database throws. */
export interface SessionStore {
  /** These are the node's own: it answers for them again, whoever did meanwhile. */
  renew(sessions: readonly BrokerSession[]): Promise<void>;
  /** Plugins of which another node has a session that was renewed within `leaseMs`. */
  othersOf(leaseMs: number): Promise<ReadonlySet<string>>;
  /** Of a session that was claimed; false when its own node is back or another has claimed it. */
  keep(clientId: string): Promise<boolean>;
  /** Takes one session of these plugins that nobody has renewed for `leaseMs`. */
  claim(plugins: readonly string[], leaseMs: number): Promise<BrokerSession | undefined>;
  /** A claimed session is empty and has ended. */
  forget(clientId: string): Promise<void>;
}

export interface SessionStoreOptions {
  readonly database: CredentialDatabase;
  readonly nodeId: string;
  /** Host and port: sessions at another broker are none of ours. */
  readonly broker: string;
}

const renewText = `insert into returnit.mqtt_session as present (client_id, broker, plugin, filters, keeper)
select client_id, $1, plugin, array(select jsonb_array_elements_text(filters)), $2
from jsonb_to_recordset($3::jsonb) as own (client_id text, plugin text, filters jsonb)
on conflict (client_id) do update
set broker = excluded.broker, plugin = excluded.plugin, filters = excluded.filters, keeper = excluded.keeper,
  seen_at = clock_timestamp()`;

const othersText = `select distinct plugin from returnit.mqtt_session
where broker = $1 and keeper <> $2 and seen_at >= clock_timestamp() - $3 * interval '1 millisecond'`;

const keepText = `update returnit.mqtt_session set seen_at = clock_timestamp() where client_id = $1 and keeper = $2`;

const claimText = `update returnit.mqtt_session set keeper = $1, seen_at = clock_timestamp()
where client_id = (
  select client_id from returnit.mqtt_session
  where broker = $2 and plugin = any($3) and seen_at < clock_timestamp() - $4 * interval '1 millisecond'
  order by seen_at limit 1 for update skip locked
)
returning client_id as "clientId", plugin, filters`;

const forgetText = `delete from returnit.mqtt_session where client_id = $1 and keeper = $2`;

export function createSessionStore({ database, nodeId, broker }: SessionStoreOptions): SessionStore {
  return {
    async renew(sessions) {
      const own = sessions.map(({ clientId, plugin, filters }) => ({ client_id: clientId, plugin, filters }));
      const values = [broker, nodeId, JSON.stringify(own)];
      await database.query({ name: 'renew_mqtt_sessions', text: renewText, values });
    },
    async othersOf(leaseMs) {
      const values = [broker, nodeId, leaseMs];
      const { rows } = await database.query({ name: 'find_other_mqtt_nodes', text: othersText, values });
      return new Set((rows as readonly { readonly plugin: string }[]).map(({ plugin }) => plugin));
    },
    async keep(clientId) {
      const { rowCount } = await database.query({
        name: 'keep_mqtt_session',
        text: keepText,
        values: [clientId, nodeId],
      });
      return rowCount === 1;
    },
    async claim(plugins, leaseMs) {
      const values = [nodeId, broker, [...plugins], leaseMs];
      const { rows } = await database.query({ name: 'claim_mqtt_session', text: claimText, values });
      return rows[0] as BrokerSession | undefined;
    },
    async forget(clientId) {
      await database.query({ name: 'forget_mqtt_session', text: forgetText, values: [clientId, nodeId] });
    },
  };
}
