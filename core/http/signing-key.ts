import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose';
import { AppError } from '#core/errors/app-error.ts';

export interface SigningKey {
  readonly id: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly publicJwk: JWK;
}

export const signingAlgorithm = 'EdDSA';

/**
 * The key that signs this installation's own tokens: Ed25519, made at the first start in `<dataDir>/keys`, readable by its owner alone.
 *
 * @throws {AppError} INVALID_CONFIG when the file is not such a key
 */
export async function loadSigningKey(dataDir: string): Promise<SigningKey> {
  const folder = join(dataDir, 'keys');
  const file = join(folder, 'token-signing-key.json');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const jwk = (await readKey(file)) ?? (await createKey(file));
  const { kty, crv, x, d } = jwk;
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || typeof d !== 'string') {
    throw new AppError(
      'INVALID_CONFIG',
      `Cannot use "${file}": it must be a private Ed25519 key as JWK; remove it to get a new one (tokens signed with it end)`,
    );
  }
  const publicJwk: JWK = { kty, crv, x };
  const id = await calculateJwkThumbprint(publicJwk);
  return {
    id,
    privateKey: (await importJWK(jwk, signingAlgorithm)) as CryptoKey,
    publicKey: (await importJWK(publicJwk, signingAlgorithm)) as CryptoKey,
    publicJwk: { ...publicJwk, kid: id, alg: signingAlgorithm, use: 'sig' },
  };
}

async function readKey(file: string): Promise<JWK | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  await chmod(file, 0o600);
  try {
    return JSON.parse(text) as JWK;
  } catch {
    // The parser's message would quote the key.
    throw new AppError(
      'INVALID_CONFIG',
      `Cannot use "${file}": it is not JSON; remove it to get a new key (tokens signed with it end)`,
    );
  }
}

/** Written aside and linked into place: a crash leaves no half a key, and of two processes that start at once one wins. */
async function createKey(file: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(signingAlgorithm, { crv: 'Ed25519', extractable: true });
  const jwk = await exportJWK(privateKey);
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, `${JSON.stringify(jwk)}\n`, { mode: 0o600, flag: 'wx' });
  try {
    await link(draft, file);
    return jwk;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return (await readKey(file)) ?? jwk;
  } finally {
    await unlink(draft);
  }
}
