import { AppError } from '#core/errors/app-error.ts';

export interface CredentialRecord {
  readonly username: string;
  /** SHA-256 of the secret. */
  readonly secretHash: Buffer;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /** The plugin that issued it. */
  readonly plugin: string;
  readonly revoked: boolean;
  /** What the secret was derived from, with a key that the database does not hold; null when it was not. */
  readonly nonce: Buffer | null;
}

export interface CredentialStore {
  find(username: string): Promise<CredentialRecord | undefined>;
  /** Creates or replaces; false when the username is another plugin's, which then stays as it is. */
  save(record: Omit<CredentialRecord, 'revoked'>): Promise<boolean>;
  /** `foreign`: another plugin's, which stays as it is. */
  revoke(username: string, plugin: string): Promise<'revoked' | 'unknown' | 'foreign'>;
  /** Every record, revoked ones included, in the order of usernames after this one. */
  list(after: string, limit: number): Promise<readonly CredentialRecord[]>;
}

/** Structural: a `pg.Pool`, or whatever queries as one. Its AppErrors are passed on. */
export interface CredentialDatabase {
  query(query: {
    readonly name: string;
    readonly text: string;
    readonly values: unknown[];
  }): Promise<{ readonly rows: readonly unknown[]; readonly rowCount: number | null }>;
}

/** The channel on which the database announces the username of each credential that changed. */
export const credentialChannel = 'returnit_mqtt_credential';

const findText = `select username, secret_hash, publish, subscribe, plugin, nonce, revoked_at is not null as revoked
from returnit.mqtt_credential where username = $1`;

const listText = `select username, secret_hash, publish, subscribe, plugin, nonce, revoked_at is not null as revoked
from returnit.mqtt_credential where username collate "C" > $1 order by username collate "C" limit $2`;

const saveText = `insert into returnit.mqtt_credential as present (username, secret_hash, publish, subscribe, plugin, nonce)
values ($1, $2, $3, $4, $5, $6)
on conflict (username) do update
set secret_hash = excluded.secret_hash, publish = excluded.publish, subscribe = excluded.subscribe,
  nonce = excluded.nonce, created_at = now(), revoked_at = null
where present.plugin = excluded.plugin`;

const revokeText = `update returnit.mqtt_credential set revoked_at = coalesce(revoked_at, now())
where username = $1 and plugin = $2`;

interface Row {
  readonly username: string;
  readonly secret_hash: Buffer;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  readonly plugin: string;
  readonly revoked: boolean;
  readonly nonce: Buffer | null;
}

function toRecord({ secret_hash: secretHash, ...rest }: Row): CredentialRecord {
  return { ...rest, secretHash };
}

/** Credentials in `returnit.mqtt_credential`. Every method throws DATABASE_ERROR when the database does not answer. */
export function createCredentialStore(database: CredentialDatabase): CredentialStore {
  async function run(
    name: string,
    text: string,
    values: unknown[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly rowCount: number | null }> {
    try {
      return await database.query({ name, text, values });
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw new AppError('DATABASE_ERROR', `Cannot run statement "${name}": the database refused it`, { cause: error });
    }
  }

  async function find(username: string): Promise<CredentialRecord | undefined> {
    const row = (await run('find_mqtt_credential', findText, [username])).rows[0] as Row | undefined;
    return row === undefined ? undefined : toRecord(row);
  }

  return {
    find,
    async save({ username, secretHash, publish, subscribe, plugin, nonce }) {
      const values = [username, secretHash, publish, subscribe, plugin, nonce];
      const result = await run('save_mqtt_credential', saveText, values);
      return result.rowCount === 1;
    },
    async revoke(username, plugin) {
      const result = await run('revoke_mqtt_credential', revokeText, [username, plugin]);
      if (result.rowCount === 1) return 'revoked';
      return (await find(username)) === undefined ? 'unknown' : 'foreign';
    },
    async list(after, limit) {
      const { rows } = await run('list_mqtt_credentials', listText, [after, limit]);
      return (rows as readonly Row[]).map(toRecord);
    },
  };
}
