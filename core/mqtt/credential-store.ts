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
}

export interface CredentialStore {
  find(username: string): Promise<CredentialRecord | undefined>;
  /** Creates or replaces; false when the username is another plugin's, which then stays as it is. */
  save(record: Omit<CredentialRecord, 'revoked'>): Promise<boolean>;
  /** `foreign`: another plugin's, which stays as it is. */
  revoke(username: string, plugin: string): Promise<'revoked' | 'unknown' | 'foreign'>;
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

const findText = `select username, secret_hash, publish, subscribe, plugin, revoked_at is not null as revoked
from returnit.mqtt_credential where username = $1`;

const saveText = `insert into returnit.mqtt_credential as present (username, secret_hash, publish, subscribe, plugin)
values ($1, $2, $3, $4, $5)
on conflict (username) do update
set secret_hash = excluded.secret_hash, publish = excluded.publish, subscribe = excluded.subscribe,
  created_at = now(), revoked_at = null
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
    if (row === undefined) return undefined;
    const { secret_hash: secretHash, ...rest } = row;
    return { ...rest, secretHash };
  }

  return {
    find,
    async save({ username, secretHash, publish, subscribe, plugin }) {
      const result = await run('save_mqtt_credential', saveText, [username, secretHash, publish, subscribe, plugin]);
      return result.rowCount === 1;
    },
    async revoke(username, plugin) {
      const result = await run('revoke_mqtt_credential', revokeText, [username, plugin]);
      if (result.rowCount === 1) return 'revoked';
      return (await find(username)) === undefined ? 'unknown' : 'foreign';
    },
  };
}
