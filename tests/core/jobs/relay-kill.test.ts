import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import type { DomainEvent } from '#plugin-api';
import { createInvalidations } from '#core/cache/invalidation.ts';
import { createBoss } from '#core/jobs/boss.ts';
import { createListener } from '#core/jobs/listener.ts';
import { createOutbox } from '#core/jobs/outbox.ts';
import { createQueues } from '#core/jobs/queues.ts';
import { watchReady } from '#core/jobs/ready.ts';
import { loadSeal } from '#core/jobs/seal.ts';
import { createWorker } from '#core/jobs/worker.ts';
import { Workers } from '#core/jobs/workers.ts';
import { createEventsCapability } from '#core/plugin-host/capabilities/events.ts';
import { callCapability, createFakeInstance } from '../../support/fake-instance.ts';
import { createJobFixture, type JobFixture } from '../../support/job-fixture.ts';
import { until } from '../../support/until.ts';

const eventsCount = 400;
const killsCount = 6;

describe('a relay that is killed again and again', () => {
  let fixture: JobFixture;
  const children: ChildProcess[] = [];

  before(async () => {
    fixture = await createJobFixture(['sender', 'receiver']);
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await fixture.stop();
  });

  it('loses no committed event and doubles none', { timeout: 120_000 }, async () => {
    const { database, config, telemetry, transactions } = fixture;
    const pool = database.admin;
    const workers = new Workers();
    const listener = createListener({ connection: { connectionString: database.url }, logger: telemetry.logger });
    const boss = createBoss({ pool, config, telemetry });
    listener.start();
    const { logger } = telemetry;
    const stopWatching = await watchReady({ pool, listener, workers, nodeId: 'other', config, logger });
    await boss.start();
    const queues = createQueues({ boss: boss.queues, config });
    const outbox = createOutbox(await loadSeal(pool), () => undefined);
    const work = async (options: Parameters<typeof createWorker>[1]) => {
      await queues.ensure(options.queue);
      const worker = createWorker({ boss: boss.queues, pool, config, telemetry }, options);
      workers.add(worker);
      return worker;
    };
    const invalidations = createInvalidations({ caches: [], telemetry });
    const deps = { jobs: { outbox, pool, work }, transactions, invalidations, config, telemetry };
    const events = createEventsCapability(deps);
    const receiver = createFakeInstance('receiver');
    const sender = createFakeInstance('sender');
    const migration = await transactions.begin(receiver);
    await transactions.use(receiver, migration, (client) =>
      client.query('create table receiver.handled (n integer not null)'),
    );
    await transactions.commit(receiver, migration);
    const handler = receiver.add(async ({ event, tx }: { event: DomainEvent<{ n: number }>; tx: string }) => {
      await transactions.use(receiver, tx, (client) =>
        client.query('insert into receiver.handled (n) values ($1)', [event.data.n]),
      );
    });
    await callCapability(events, receiver, { method: 'on', args: { event: 'test.counted', handler } });

    const committed: number[] = [];
    const publishing = (async () => {
      for (let n = 0; n < eventsCount; n += 1) {
        const tx = await transactions.begin(sender);
        await callCapability(events, sender, { method: 'publish', args: { event: 'test.counted', data: { n }, tx } });
        if (n % 7 === 0) await transactions.rollback(sender, tx);
        else {
          await transactions.commit(sender, tx);
          committed.push(n);
        }
      }
    })();
    const moved = async () => {
      const { rows } = await pool.query<{ moved: number }>(
        `select count(*)::int as moved from pgboss.job where name = 'event.receiver.test.counted'`,
      );
      return rows[0]?.moved ?? 0;
    };
    for (let kill = 0; kill < killsCount; kill += 1) {
      const child = startRelay(database.url);
      children.push(child);
      const before = await moved();
      // Killed while it moves: as soon as it has moved something, or when there is nothing left.
      await until(
        'the relay has moved rows',
        async () => (await moved()) > before + kill || before >= committed.length,
      );
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await publishing;
    children.push(startRelay(database.url));
    const handled = async () => {
      const { rows } = await pool.query<{ n: number }>('select n from receiver.handled order by n');
      return rows.map((row) => row.n);
    };
    await until('all events are handled', async () => (await handled()).length >= committed.length, 60_000);
    assert.deepEqual(await handled(), committed);
    const { rows } = await pool.query('select count(*)::int as rows from returnit.outbox');
    assert.deepEqual(rows, [{ rows: 0 }]);

    const last = children.at(-1);
    last?.kill('SIGKILL');
    stopWatching();
    await Promise.all(workers.all.map((worker) => worker.stop()));
    await boss.stop();
    await listener.stop();
  });
});

function startRelay(url: string): ChildProcess {
  return fork(new URL('../../support/relay-child.ts', import.meta.url), [url], { stdio: 'inherit' });
}
