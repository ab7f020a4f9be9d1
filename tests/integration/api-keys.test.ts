/** API keys on the real platform: two nodes, the audit, a connection that listens and breaks. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as pg from 'pg';
import type { Api } from '../support/api-client.ts';
import { patient } from '../support/patient.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { until } from '../support/until.ts';

interface IssuedKey {
  readonly keyId: string;
  readonly secret: string;
}

describe('API keys at two nodes', () => {
  let postgres: TestServer;
  let nodes: TestPlatform[] = [];
  let ops: Api;

  before(async () => {
    postgres = await startTestServer();
    // What is not announced would be taken for a minute.
    const config = { ...patient, databaseUrl: postgres.url, dbPoolMax: 40, apiKeyCacheTtlMs: 60_000 };
    nodes = [await startPlatform({ config }), await startPlatform({ config })];
    ops = await first().as('ops', 'kim');
  });
  after(async () => {
    for (const node of nodes) await node.stop();
    await postgres?.stop();
  });

  const first = (): TestPlatform => nodes[0] ?? assert.fail();
  const second = (): TestPlatform => nodes[1] ?? assert.fail();
  const issue = (scopes: readonly string[]): Promise<IssuedKey> =>
    ops.ok<IssuedKey>('POST', '/api-keys', { partnerId: 'acme', name: 'shop', scopes });
  const statusAt = async (node: TestPlatform, { secret }: IssuedKey): Promise<number> =>
    (await node.anonymous(secret).request('GET', '/orders')).status;

  it('are taken at each, and refused at each when one has revoked them', async () => {
    const key = await issue(['orders:read']);
    assert.deepEqual([await statusAt(first(), key), await statusAt(second(), key)], [200, 200]);
    await ops.request('DELETE', `/api-keys/${key.keyId}`);
    assert.equal(await statusAt(first(), key), 401, 'at once');
    await until('the other node has heard', async () => (await statusAt(second(), key)) === 401);
  });

  it('are asked for again when the connection that listens was lost', async () => {
    const key = await issue(['orders:read']);
    assert.equal(await statusAt(second(), key), 200);
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    try {
      // Nobody is told of this change.
      await client.query('begin');
      await client.query('alter table returnit.api_key disable trigger api_key_changed');
      await client.query({
        text: 'update returnit.api_key set revoked_at = now() where key_id = $1',
        values: [key.keyId],
      });
      await client.query('alter table returnit.api_key enable trigger api_key_changed');
      await client.query('commit');
      assert.equal(await statusAt(second(), key), 200);
      await client.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'returnit listen'",
      );
      await until('the node listens again and has asked', async () => (await statusAt(second(), key)) === 401);
    } finally {
      await client.end();
    }
  });

  it('leave a record of each issue and withdrawal, without the secret', async () => {
    const key = await issue(['*:read']);
    await ops.request('DELETE', `/api-keys/${key.keyId}`);
    const folder = join(first().dataDir, 'audit');
    const texts = await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file), 'utf8')));
    const records = texts
      .join('')
      .split('\n')
      .filter((line) => line.includes(key.keyId))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      records.map(({ decision, plugin, permission, rule }) => [decision, plugin, permission, rule]),
      [
        ['issue', 'core', 'api-keys', 'ops "kim"'],
        ['withdraw', 'core', 'api-keys', 'ops "kim"'],
      ],
    );
    assert.ok(!`${texts.join('')}${first().logText()}`.includes(key.secret.slice(-43)));
  });

  it('count against one budget of their partner, with its tokens', async () => {
    await ops.ok('PUT', '/partners/spender/budgets', { requests: 6 });
    const { secret } = await ops.ok<IssuedKey>('POST', '/api-keys', {
      partnerId: 'spender',
      name: 'shop',
      scopes: ['orders:read'],
    });
    const callers = [
      first().anonymous(secret),
      second().anonymous(secret),
      await first().as('partner', 'spender'),
      await second().as('partner', 'spender'),
    ];
    const statuses = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        Promise.resolve(callers[index % 4]?.request('GET', '/orders').then(({ status }) => status)),
      ),
    );
    assert.deepEqual(
      statuses.toSorted((one = 0, other = 0) => one - other),
      [...Array.from({ length: 6 }, () => 200), ...Array.from({ length: 6 }, () => 429)],
    );
  });
});
