import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { prepareMonitor } from '#core/database/monitor-role.ts';
import { startStatistics } from '#core/database/statistics/statistics-collector.ts';
import { createDatabaseFixture } from '../../support/postgres.ts';
import { readSample } from '../../support/platform.ts';
import { startReplica } from '../../support/replica.ts';
import { until } from '../../support/until.ts';

describe('startStatistics() of a server with a replica', () => {
  it('shows how far it is behind, that it has caught up, and nothing when it is gone', async () => {
    const fixture = await createDatabaseFixture({ config: { dbStatisticsIntervalMs: 3_600_000 } });
    const { database, telemetry, config } = fixture;
    await prepareMonitor(database);
    const lsn = async (): Promise<string> => {
      const { rows } = await database.admin.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
      return rows[0]?.lsn ?? '';
    };
    const statistics = startStatistics({ database, plugins: [], telemetry, config });
    const sample = async (name: string): Promise<number | undefined> => {
      await statistics.readNow();
      await statistics.readNow();
      const { body } = await telemetry.metrics.render();
      const series = `returnit_postgres_replication_lag_${name}`;
      const labels = { replica: 'replica-of-test' };
      return body.includes(`${series}{replica="${labels.replica}"}`) ? readSample(body, series, labels) : undefined;
    };
    const from = await lsn();
    const replica = await startReplica({ url: database.url, name: 'replica-of-test', from });
    try {
      await database.admin.query(`create table filling as select repeat('x', 1000) from generate_series(1, 2000)`);
      replica.replayed(from);
      await until('it is behind', async () => ((await sample('bytes')) ?? 0) > 1_000_000);
      // Other tests write to the same server.
      await until('it has caught up', async () => {
        replica.replayed(await lsn());
        return ((await sample('bytes')) ?? Infinity) < 500_000;
      });
      const seconds = await sample('seconds');
      assert.ok(seconds !== undefined && seconds >= 0 && seconds < 600, `${seconds}`);
      await replica.stop();
      await until('it is gone', async () => (await sample('bytes')) === undefined);
      assert.equal(await sample('seconds'), undefined);
    } finally {
      await replica.stop();
      await statistics.stop();
      await fixture.stop();
    }
  });
});
