import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toReadiness } from '#core/app/readiness.ts';
import { loadConfig } from '#core/config/config.ts';
import { createDatabase, type Database } from '#core/database/database.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#core/database/embedded-postgres.ts';
import { createDatabaseHealth, type DatabaseHealth } from '#core/database/health.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';
import { until } from '../../support/until.ts';

const config = loadConfig({}, { dbPoolMin: 0, dbPoolMax: 10, dbHealthIntervalMs: 200 });
const dataDir = mkdtempSync(join(tmpdir(), 'returnit-health-'));
const telemetry = recordTelemetry();
let postgres: EmbeddedPostgres;
let database: Database;
let health: DatabaseHealth;

const start = (): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({ dataDir, connectionsMax: 10, telemetry: recordTelemetry() });
const upMetric = async (): Promise<string | undefined> =>
  /^returnit_db_up (.*)$/m.exec((await telemetry.metrics.render()).body)?.[1];
const readiness = (): ReturnType<typeof toReadiness> =>
  toReadiness({ database: health, listening: true, stopping: false });
const logged = (message: string): number => telemetry.lines.filter((line) => line['msg'] === message).length;
/** Looks that began after this call. */
async function untilLooked(times: number): Promise<void> {
  for (let seen = 0; seen < times; seen += 1) {
    const { checkedAt } = health.state;
    await until('the database is looked at', async () => health.state.checkedAt !== checkedAt);
  }
}

before(async () => {
  postgres = await start();
  database = await createDatabase({ config, telemetry, url: postgres.url });
  health = createDatabaseHealth({ database, telemetry, config });
});
after(async () => {
  await health.stop();
  await database.stop();
  await postgres.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

describe('createDatabaseHealth()', () => {
  it('knows nothing before its first look', () => {
    assert.deepEqual(health.state, { up: false, lastError: null, checkedAt: null });
    assert.deepEqual(readiness().checks['database'], { ready: false, state: 'starting' });
  });

  it('says that the database is up', async () => {
    await health.start();
    assert.equal(health.state.up, true);
    assert.deepEqual(readiness().checks['database'], { ready: true, state: 'connected' });
    assert.equal(await upMetric(), '1');
  });

  it('says so when all connections of the core are in use', async () => {
    const clients = await Promise.all(Array.from({ length: database.admin.max }, () => database.admin.connect()));
    await untilLooked(2);
    assert.equal(health.state.up, true);
    for (const client of clients) client.release();
  });

  it('follows the database down and up again, and logs each once', async () => {
    await postgres.stop();
    await until('it is down', async () => !health.state.up);
    await untilLooked(2);
    const { ready, checks } = readiness();
    assert.equal(ready, false);
    assert.deepEqual([checks['database']?.ready, checks['database']?.state], [false, 'disconnected']);
    assert.match(checks['database']?.detail ?? '', /^Cannot reach the database at \/.*: connect ENOENT /);
    assert.doesNotMatch(checks['database']?.detail ?? '', /postgres:\/\//);
    assert.equal(await upMetric(), '0');
    postgres = await start();
    await until('it is up', async () => health.state.up);
    assert.deepEqual(readiness().checks['database'], { ready: true, state: 'connected' });
    assert.equal(await upMetric(), '1');
    await untilLooked(2);
    assert.deepEqual([logged('The database does not answer'), logged('The database answers again')], [1, 1]);
  });

  it('takes silence for an answer after its interval', async () => {
    const clients = await Promise.all(Array.from({ length: database.admin.max }, () => database.admin.connect()));
    // The server's parent accepts connections; stopped, it leaves them waiting.
    process.kill(postgres.pid, 'SIGSTOP');
    await until('it is down', async () => !health.state.up);
    assert.match(health.state.lastError ?? '', /: it did not answer within 200 ms$/);
    process.kill(postgres.pid, 'SIGCONT');
    await until('it is up', async () => health.state.up);
    for (const client of clients) client.release();
  });

  it('stops twice, and looks no more', async () => {
    await Promise.all([health.stop(), health.stop()]);
    const { state } = health;
    await postgres.stop();
    assert.equal(health.state, state);
  });
});
