import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import pg from 'pg';
import { callCapability, createFakeInstance, type FakeInstance } from '../../support/fake-instance.ts';
import { createJobFixture, type JobFixture, type Node } from '../../support/job-fixture.ts';
import { until } from '../../support/until.ts';

describe('the places of createWorker()', () => {
  let fixture: JobFixture;
  let node: Node;
  /** Has a lock on each job whose handler has run: it cannot be written that it is done. */
  let holder: pg.Client;
  let holding: Promise<unknown>;
  let instance: FakeInstance;

  before(async () => {
    fixture = await createJobFixture(['sender'], { jobTimeoutMs: 60_000 });
    node = await fixture.startNode();
  });
  after(() => fixture.stop());
  beforeEach(async () => {
    holder = new pg.Client({ connectionString: fixture.database.url });
    await holder.connect();
    await holder.query('begin');
    holding = Promise.resolve();
  });
  afterEach(async () => {
    instance.die();
    await holder.end();
  });

  const states = async (queue: string): Promise<readonly string[]> => {
    const { rows } = await fixture.database.admin.query<{ state: string }>(
      'select state::text as state from pgboss.job where name = $1',
      [queue],
    );
    return rows.map(({ state }) => state);
  };
  const untilAll = (queue: string, state: string): Promise<unknown> =>
    until(`all are ${state}`, async () => (await states(queue)).every((each) => each === state));

  /** Puts so many jobs into a queue on which a worker works. */
  async function run(queue: string, jobs: number, concurrency: number): Promise<{ begun: number; mostAtOnce: number }> {
    const seen = { begun: 0, mostAtOnce: 0 };
    let running = 0;
    instance = createFakeInstance('sender');
    const handler = instance.add(async ({ id }: { readonly id: string }) => {
      seen.begun += 1;
      running += 1;
      seen.mostAtOnce = Math.max(seen.mostAtOnce, running);
      const hold = 'select from pgboss.job where name = $1 and id = $2 for update';
      await (holding = holding.then(() => holder.query(hold, [queue, id])));
      running -= 1;
    });
    await callCapability(node.work, instance, { method: 'work', args: { queue, concurrency, handler } });
    for (let n = 0; n < jobs; n += 1) {
      await callCapability(node.work, instance, { method: 'send', args: { queue, data: { n }, options: {} } });
    }
    return seen;
  }

  it('are free when a handler has ended, not only when it is written that the job is done', async () => {
    const seen = await run('sender.held', 20, 1);
    await until('all have begun', () => seen.begun === 20);
    await untilAll('sender.held', 'active');
    assert.equal(seen.mostAtOnce, 1);
    await holder.query('commit');
    await untilAll('sender.held', 'completed');
  });

  it('are not given to more than 200 jobs while the database writes no end', async () => {
    const seen = await run('sender.many', 230, 10);
    await until('as many have begun as may', () => seen.begun >= 200);
    await delay(500);
    assert.equal(seen.begun, 200);
    await holder.query('commit');
    await untilAll('sender.many', 'completed');
    assert.equal(seen.begun, 230);
  });
});
