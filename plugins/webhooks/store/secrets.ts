import type { Queryable, Statement } from '#plugin-api';

export interface SealedSecret {
  readonly secretId: string;
  readonly endpointId: string;
  readonly sealed: string;
}

const insertSecretStatement: Statement = {
  name: 'insert_webhook_secret',
  text: 'insert into webhook_secrets (secret_id, endpoint_id, sealed) values ($1, $2, $3)',
};

/** The current one: the one before it must have got its end. */
export async function insertSecret(tx: Queryable, { secretId, endpointId, sealed }: SealedSecret): Promise<void> {
  await tx.query(insertSecretStatement, [secretId, endpointId, sealed]);
}

const findSealedStatement: Statement = {
  name: 'find_sealed_webhook_secret',
  text: 'select sealed from webhook_secrets where secret_id = $1 and endpoint_id = $2',
};

export async function findSealed(
  tx: Queryable,
  { secretId, endpointId }: Pick<SealedSecret, 'secretId' | 'endpointId'>,
): Promise<string | undefined> {
  const { rows } = await tx.query<{ sealed: string }>(findSealedStatement, [secretId, endpointId]);
  return rows[0]?.sealed;
}

const expireSecretsStatement: Statement = {
  name: 'expire_webhook_secrets',
  text: `update webhook_secrets set expires_at = now() + $2 * interval '1 second'
    where endpoint_id = $1 and expires_at is null`,
};

export async function expireCurrentSecret(tx: Queryable, endpointId: string, afterSeconds: number): Promise<void> {
  await tx.query(expireSecretsStatement, [endpointId, afterSeconds]);
}

const deleteSecretsStatement: Statement = {
  name: 'delete_webhook_secrets',
  text: 'delete from webhook_secrets where endpoint_id = $1',
};

export async function deleteSecrets(tx: Queryable, endpointId: string): Promise<void> {
  await tx.query(deleteSecretsStatement, [endpointId]);
}

const listSealedStatement: Statement = {
  name: 'list_sealed_webhook_secrets',
  text: `select sealed from webhook_secrets
    where endpoint_id = $1 and (expires_at is null or expires_at > now())
    order by created_at desc, secret_id`,
};

/** The newest first. */
export async function listSealedSecrets(db: Queryable, endpointId: string): Promise<readonly string[]> {
  const { rows } = await db.query<{ sealed: string }>(listSealedStatement, [endpointId]);
  return rows.map(({ sealed }) => sealed);
}

const listOldSealedStatement: Statement = {
  name: 'list_webhook_secrets_of_old_keys',
  text: `select secret_id as "secretId", endpoint_id as "endpointId", sealed from webhook_secrets
    where not starts_with(sealed, $1) and secret_id > $2 order by secret_id limit $3`,
};

/** Those that the current key did not seal. */
export async function listOldSealed(
  db: Queryable,
  page: { readonly currentPrefix: string; readonly after: string; readonly limit: number },
): Promise<readonly SealedSecret[]> {
  const { rows } = await db.query<SealedSecret>(listOldSealedStatement, [page.currentPrefix, page.after, page.limit]);
  return rows;
}

const replaceSealedStatement: Statement = {
  name: 'replace_sealed_webhook_secret',
  text: 'update webhook_secrets set sealed = $3 where secret_id = $1 and sealed = $2',
};

export async function replaceSealed(
  db: Queryable,
  { secretId, sealed }: SealedSecret,
  resealed: string,
): Promise<void> {
  await db.query(replaceSealedStatement, [secretId, sealed, resealed]);
}

const pruneSecretsStatement: Statement = {
  name: 'prune_webhook_secrets',
  text: 'delete from webhook_secrets where expires_at < now()',
};

export async function pruneSecrets(db: Queryable): Promise<void> {
  await db.query(pruneSecretsStatement);
}
