import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startDepthCollector } from '#core/jobs/depth-collector.ts';
import { createJobFixture, type JobFixture } from '../../support/job-fixture.ts';

describe('startDepthCollector()', () => {
  let fixture: JobFixture;
  let nowMs = 0;
  let stop: () => void;

  before(async () => {
    fixture = await createJobFixture(['sender']);
    // With the schema of the queues.
    await fixture.startNode();
    const { database, telemetry } = fixture;
    stop = startDepthCollector({ pool: database.admin, telemetry, cacheMs: 0, now: () => (nowMs += 1) });
  });
  after(async () => {
    stop();
    await fixture.stop();
  });

  const failures = async (): Promise<number> => {
    const { body } = await fixture.telemetry.metrics.render();
    return Number(/^returnit_metrics_collect_errors_total (\d+)$/m.exec(body)?.[1]);
  };
  const renameColumn = (from: string, to: string): Promise<unknown> =>
    fixture.database.admin.query(`alter table returnit.outbox rename column ${from} to ${to}`);

  it('is a collector that fails when it cannot read, until it can', async () => {
    assert.equal(await failures(), 0);
    await renameColumn('created_at', 'made_at');
    assert.ok((await failures()) > 0);
    await renameColumn('made_at', 'created_at');
    const before = await failures();
    assert.equal(await failures(), before);
  });
});
