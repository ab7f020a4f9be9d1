import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import { createDatabase } from '#core/database/database.ts';
import { lockDataFolder } from '#core/database/data-folder.ts';
import { startEmbeddedPostgres } from '#core/database/embedded-postgres.ts';
import { migrateCore } from '#core/database/migrations.ts';
import { startJobSystem } from '#core/jobs/job-system.ts';
import { createSlots } from '#core/jobs/slots.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';
import { until } from '../../support/until.ts';

describe('startJobSystem()', () => {
  it('listens again after a restart of Postgres, without waiting for a poll', { timeout: 90_000 }, async (t) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'returnit-restart-'));
    const folder = lockDataFolder(dataDir);
    const telemetry = recordTelemetry();
    const postgres = await startEmbeddedPostgres({ dataDir, connectionsMax: 60, telemetry });
    t.after(async () => {
      await postgres.stop();
      folder.release();
      rmSync(dataDir, { recursive: true, force: true });
    });
    // So long that no poll moves anything within the test.
    const config = loadConfig(
      {},
      { dbPoolMin: 0, outboxPollMs: 3_600_000, jobPollMs: 3_600_000, shutdownTimeoutMs: 5000 },
    );
    const database = await createDatabase({ config, telemetry, url: postgres.url });
    await migrateCore(database.admin);
    const jobs = await startJobSystem({ database, config, telemetry, onForged: () => undefined });
    const done: unknown[] = [];
    const worker = await jobs.work({
      queue: 'test.restart',
      plugin: 'test',
      slots: createSlots(2),
      gone: new AbortController().signal,
      handle: async ({ data }) => void done.push(data),
    });
    const send = async (n: number): Promise<void> => {
      await jobs.outbox.add(database.admin, { plugin: 'test', kind: 'job', name: 'test.restart', data: { n } });
      jobs.outbox.wake();
    };
    await send(1);
    await until('the first job is done', () => done.length === 1);

    const pid = postgres.pid;
    process.kill(pid, 'SIGKILL');
    const isListening = async () => {
      const { rowCount } = await database.admin.query(
        `select from pg_stat_activity where application_name = 'returnit listen' and (query = 'select 1' or query like 'listen%')`,
      );
      return (rowCount ?? 0) > 0;
    };
    await until(
      'Postgres is back and listened to',
      () => postgres.pid !== pid && isListening().catch(() => false),
      60_000,
    );
    await send(2);
    await until('the second job is done', () => done.length === 2);
    assert.deepEqual(done, [{ n: 1 }, { n: 2 }]);

    await worker.stop();
    await jobs.stop();
    await database.stop();
  });
});
