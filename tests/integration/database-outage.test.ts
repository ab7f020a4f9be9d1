/** A server that somebody else runs goes away and comes back, below a platform that runs on. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#core/database/embedded-postgres.ts';
import { recordTelemetry } from '../support/record-telemetry.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'returnit-outage-'));
const started: EmbeddedPostgres[] = [];
async function startPostgres(): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir, connectionsMax: 60, telemetry: recordTelemetry() });
  started.push(postgres);
  return postgres;
}

interface Check {
  readonly name: string;
  readonly state: string;
  readonly detail?: string;
}

describe('a platform without its database', () => {
  let postgres: EmbeddedPostgres;
  let platform: TestPlatform;

  before(async () => {
    postgres = await startPostgres();
    platform = await startPlatform({
      config: { databaseUrl: postgres.url, plugins: ['orders'], dbHealthIntervalMs: 200 },
    });
  });
  after(async () => {
    await platform?.stop();
    for (const each of started) await each.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  const readyz = async (): Promise<{ status: number; database: Check | undefined }> => {
    const { status, text } = await platform.ops('/readyz');
    const { checks } = JSON.parse(text) as { checks: Check[] };
    return { status, database: checks.find(({ name }) => name === 'database') };
  };

  it('takes itself out, and answers 503 instead of blaming the plugin', async () => {
    await until('it is ready', async () => (await readyz()).status === 200);
    assert.equal(await platform.sample('returnit_db_up'), 1);
    await postgres.stop();
    const { database } = await until('it is not ready', async () => {
      const answer = await readyz();
      return answer.status === 503 && answer;
    });
    assert.equal(database?.state, 'disconnected');
    assert.match(database?.detail ?? '', /^Cannot reach the database at /);
    assert.equal(await platform.sample('returnit_db_up'), 0);
    const ops = await platform.as('ops', 'ops-1');
    const { status, headers, body } = await ops.request('GET', '/orders');
    assert.deepEqual([status, body.code], [503, 'DATABASE_UNREACHABLE']);
    assert.equal(headers.get('retry-after'), '5');
  });

  it('goes on when it is back', async () => {
    postgres = await startPostgres();
    await until('it is ready', async () => (await readyz()).status === 200);
    assert.equal(await platform.sample('returnit_db_up'), 1);
    const ops = await platform.as('ops', 'ops-1');
    await until('orders answers', async () => (await ops.request('GET', '/orders')).status === 200);
    assert.equal(platform.deathsOf('orders'), 0);
  });
});
