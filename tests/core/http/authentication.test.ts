import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import { loadConfig } from '#core/config/config.ts';
import { createAuthenticator, type Authenticator } from '#core/http/authentication.ts';

const claims = { iss: 'returnit', aud: 'returnit-api', sub: 'c-1', role: 'customer' };
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

function sign(key: CryptoKey, payload: JWTPayload, header: { alg: string; kid?: string }): Promise<string> {
  return new SignJWT(payload).setProtectedHeader(header).sign(key);
}

describe('createAuthenticator() with the local key', () => {
  let dataDir: string;
  let nowMs = Date.now();
  let authenticator: Authenticator;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'returnit-keys-'));
    authenticator = await createAuthenticator({ config: loadConfig({}, { dataDir }), now: () => nowMs });
  });
  after(() => rm(dataDir, { recursive: true }));

  it('verifies what it issued', async () => {
    const token = await authenticator.issueToken({ role: 'driver', subject: 'd-1' });
    assert.deepEqual(await authenticator.verify(token), { id: 'd-1', role: 'driver' });
  });

  it('keeps its key for its owner alone, and across starts', async () => {
    const file = join(dataDir, 'keys', 'token-signing-key.json');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal((await stat(join(dataDir, 'keys'))).mode & 0o777, 0o700);
    const token = await authenticator.issueToken({ role: 'ops', subject: 'o-1' });
    const [one, other] = await Promise.all(
      [1, 2].map(() => createAuthenticator({ config: loadConfig({}, { dataDir }) })),
    );
    assert.deepEqual(await one?.verify(token), { id: 'o-1', role: 'ops' });
    assert.deepEqual(other?.publicKeys, authenticator.publicKeys);
  });

  it('gives two processes that start at once the same key', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'returnit-keys-'));
    const all = await Promise.all(
      [1, 2, 3, 4].map(() => createAuthenticator({ config: loadConfig({}, { dataDir: folder }) })),
    );
    assert.equal(new Set(all.map((each) => JSON.stringify(each.publicKeys))).size, 1);
    await rm(folder, { recursive: true });
  });

  it('publishes the public half only', async () => {
    const [key] = authenticator.publicKeys.keys;
    assert.deepEqual(Object.keys(key ?? {}).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x']);
  });

  it('says when its key file is broken, without quoting it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'returnit-keys-'));
    const config = loadConfig({}, { dataDir: folder });
    await createAuthenticator({ config });
    const file = join(folder, 'keys', 'token-signing-key.json');
    await writeFile(file, (await readFile(file, 'utf8')).slice(0, 40));
    await assert.rejects(createAuthenticator({ config }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'INVALID_CONFIG');
      assert.match(error.message, /token-signing-key\.json": it is not JSON; remove it/);
      return true;
    });
    await rm(folder, { recursive: true });
  });

  it('remembers whose a token is once it was verified, for a minute', async () => {
    const token = await authenticator.issueToken({ role: 'customer', subject: 'c-2' });
    assert.equal(authenticator.remembered(token), undefined);
    await authenticator.verify(token);
    nowMs += 59_000;
    assert.deepEqual(authenticator.remembered(token), { id: 'c-2', role: 'customer' });
    assert.equal(authenticator.remembered(`${token}x`), undefined);
    nowMs += 2000;
    assert.equal(authenticator.remembered(token), undefined);
    assert.deepEqual(await authenticator.verify(token), { id: 'c-2', role: 'customer' });
  });

  it('tells until when a token is accepted, also one it remembers', async () => {
    const token = await authenticator.issueToken({ role: 'customer', subject: 'c-1', expiresInSeconds: 30 });
    for (const _time of ['first', 'remembered']) {
      const { principal, expiresAtMs } = await authenticator.verifySession(token);
      assert.deepEqual(principal, { id: 'c-1', role: 'customer' });
      // 5 s for clocks that differ.
      assert.equal(expiresAtMs, (Math.floor(nowMs / 1000) + 35) * 1000);
    }
  });

  it('refuses a token when it expires, also one it remembers', async () => {
    const token = await authenticator.issueToken({ role: 'customer', subject: 'c-1', expiresInSeconds: 30 });
    await authenticator.verify(token);
    nowMs += 40_000;
    assert.equal(authenticator.remembered(token), undefined);
    await assert.rejects(authenticator.verify(token), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'UNAUTHENTICATED');
      assert.match(error.message, /^Cannot accept the token: it expired at \d{4}-/);
      return true;
    });
  });

  it('refuses forged, foreign and incomplete tokens, and says no more than they do', async () => {
    const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
    const foreign = await sign(privateKey, { ...claims, exp: nowSeconds() + 600 }, { alg: 'EdDSA' });
    const valid = await authenticator.issueToken({ role: 'customer', subject: 'c-1' });
    const [header, , signature] = valid.split('.');
    const forged = `${header}.${Buffer.from(JSON.stringify({ ...claims, role: 'ops', exp: nowSeconds() + 600 })).toString('base64url')}.${signature}`;
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;
    const symmetric = await new SignJWT({ ...claims, exp: nowSeconds() + 600 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(JSON.stringify(authenticator.publicKeys)));
    const refused: readonly (readonly [string, RegExp])[] = [
      [foreign, /not signed by a key that is trusted here$/],
      [forged, /not signed by a key that is trusted here$/],
      [none, /its algorithm is not accepted$/],
      [symmetric, /its algorithm is not accepted$/],
      ['abc', /not a well-formed JWT$/],
      ['a'.repeat(9000), /at most 8192 characters$/],
    ];
    for (const [token, message] of refused)
      await assert.rejects(authenticator.verify(token), { code: 'UNAUTHENTICATED', message });
  });
});

describe('createAuthenticator() with JWT_JWKS_URL', () => {
  const keys: { keys: object[] } = { keys: [] };
  let fetches = 0;
  let status = 200;
  let privateKey: CryptoKey;
  let authenticator: Authenticator;
  const server = createServer((_request, response) => {
    fetches += 1;
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(keys));
  });

  before(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const pair = await generateKeyPair('ES256');
    privateKey = pair.privateKey;
    keys.keys.push({ ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256', use: 'sig' });
    const jwtJwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
    authenticator = await createAuthenticator({ config: loadConfig({}, { jwtJwksUrl }) });
  });
  after(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });

  const exp = nowSeconds() + 600;

  it('says that keys cannot be fetched, and tries again', async () => {
    status = 500;
    const token = await sign(privateKey, { ...claims, exp }, { alg: 'ES256', kid: 'one' });
    await assert.rejects(authenticator.verify(token), { code: 'AUTHENTICATION_UNAVAILABLE' });
    status = 200;
    assert.deepEqual(await authenticator.verify(token), { id: 'c-1', role: 'customer' });
  });

  it('fetches the keys once for many tokens', async () => {
    const before = fetches;
    for (const sub of ['a', 'b', 'c'])
      await authenticator.verify(await sign(privateKey, { ...claims, sub, exp }, { alg: 'ES256', kid: 'one' }));
    assert.equal(fetches, before);
  });

  it('requires every claim, and the right ones', async () => {
    const changed: readonly (readonly [object, RegExp])[] = [
      [{ iss: 'other' }, /claim "iss" is not accepted here/],
      [{ aud: 'other' }, /claim "aud" is not accepted here/],
      [{ exp: undefined }, /claim "exp" is missing/],
      [{ sub: undefined }, /claim "sub" is missing/],
      [{ role: undefined }, /claim "role" is missing/],
      [{ sub: '' }, /claim "sub" must be a text of 1 to 200 characters/],
      [{ role: 'admin' }, /claim "role" must be one of customer, driver, partner, ops/],
      [{ role: 'anonymous' }, /claim "role" must be one of/],
      [{ nbf: exp }, /claim "nbf" is not accepted here/],
    ];
    for (const [change, message] of changed) {
      const token = await sign(privateKey, { ...claims, exp, ...change }, { alg: 'ES256', kid: 'one' });
      await assert.rejects(authenticator.verify(token), { code: 'UNAUTHENTICATED', message });
    }
  });

  it('refuses an unknown key', async () => {
    const token = await sign(privateKey, { ...claims, exp }, { alg: 'ES256', kid: 'two' });
    await assert.rejects(authenticator.verify(token), { code: 'UNAUTHENTICATED', message: /trusted here/ });
  });

  it('issues no tokens and publishes no keys', async () => {
    await assert.rejects(authenticator.issueToken({ role: 'ops', subject: 'x' }), { code: 'INVALID_CONFIG' });
    assert.deepEqual(authenticator.publicKeys, { keys: [] });
  });
});
