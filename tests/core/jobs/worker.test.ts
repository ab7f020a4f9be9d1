import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import { callCapability, createFakeInstance, type FakeInstance } from '../../support/fake-instance.ts';
import { createJobFixture, type JobFixture, type Node } from '../../support/job-fixture.ts';
import { until } from '../../support/until.ts';

interface Input {
  readonly id: string;
  readonly queue: string;
  readonly data: { readonly n: number };
  readonly attempt: number;
}

describe('createWorker()', () => {
  let fixture: JobFixture;
  let node: Node;

  before(async () => {
    // Longer than the time after which a node without a sign is dead.
    fixture = await createJobFixture(['sender'], { jobTimeoutMs: 60_000 });
    node = await fixture.startNode();
  });
  after(() => fixture.stop());

  const work = async (queue: string, run: (input: Input) => unknown, concurrency = 4): Promise<FakeInstance> => {
    const instance = createFakeInstance('sender');
    const handler = instance.add(run);
    await callCapability(node.work, instance, { method: 'work', args: { queue, concurrency, handler } });
    return instance;
  };
  const send = (queue: string, n: number, options: object = {}) =>
    callCapability(node.work, createFakeInstance('sender'), { method: 'send', args: { queue, data: { n }, options } });
  const stateOf = async (queue: string) => {
    const { rows } = await fixture.database.admin.query<{ state: string; attempts: number }>(
      'select state::text as state, retry_count as attempts from pgboss.job where name = $1',
      [queue],
    );
    return rows;
  };

  it('has each end of its attempts at 0 before the first', async () => {
    const instance = await work('sender.new', () => undefined);
    const { body } = await fixture.telemetry.metrics.render();
    for (const outcome of ['completed', 'retried', 'dead_letter'])
      assert.ok(body.includes(`\nreturnit_jobs_total{plugin="sender",queue="sender.new",outcome="${outcome}"} 0\n`));
    instance.die();
  });

  it('hands over id, queue, data and attempt, and completes the job', async () => {
    const inputs: Input[] = [];
    const instance = await work('sender.simple', (input) => inputs.push(input));
    await send('sender.simple', 1);
    await until('the job is completed', async () => (await stateOf('sender.simple'))[0]?.state === 'completed');
    assert.equal(inputs.length, 1);
    assert.deepEqual({ ...inputs[0], id: '' }, { id: '', queue: 'sender.simple', data: { n: 1 }, attempt: 1 });
    instance.die();
    const { body } = await fixture.telemetry.metrics.render();
    assert.match(body, /returnit_jobs_total\{plugin="sender",queue="sender.simple",outcome="completed"\} 1/);
    assert.match(body, /returnit_jobs_sent_total\{plugin="sender",queue="sender.simple"\} 1/);
    assert.match(body, /returnit_job_last_success_timestamp_seconds\{queue="sender.simple"\} 1/);
  });

  it('retries a throw with growing delays, then sets it down as a dead letter that can be replayed', async () => {
    const attempts: number[] = [];
    let healthy = false;
    const instance = await work('sender.failing', ({ attempt }) => {
      attempts.push(attempt);
      if (!healthy) throw new AppError('INTERNAL', 'Cannot do it: no luck', { details: { luck: 0 } });
    });
    await send('sender.failing', 7, { retryLimit: 2 });
    const { deadLetters } = node.jobs;
    const letter = await until(
      'it is a dead letter',
      async () => (await deadLetters.listDeadLetters({ queue: 'sender.failing' })).letters[0],
      30_000,
    );
    assert.deepEqual(attempts, [1, 2, 3]);
    const queue = await node.jobs.boss.getQueue('sender.failing');
    assert.deepEqual([queue?.retryBackoff, queue?.retryDelay, queue?.deadLetter], [true, 1, 'sender.failing.dead']);
    assert.equal(letter.queue, 'sender.failing');
    assert.deepEqual(letter.data, { n: 7 });
    assert.equal(letter.attempts, 3);
    assert.deepEqual(letter.error, { code: 'INTERNAL', message: 'Cannot do it: no luck', details: { luck: 0 } });

    healthy = true;
    await deadLetters.replayDeadLetter(letter.id);
    await until('the replay is done', () => attempts.length === 4);
    assert.deepEqual((await deadLetters.listDeadLetters()).letters, []);
    // One line an attempt: 20 is debug, 40 warn, 50 error.
    const lines = await until('the last attempt is logged', () => {
      const found = fixture.telemetry.lines.filter((line) => line['queue'] === 'sender.failing' && 'jobId' in line);
      return found.length === 4 && found;
    });
    assert.deepEqual(
      lines.map(({ level, attempt, outcome, code }) => [level, attempt, outcome, code]),
      [
        [40, 1, 'retried', 'INTERNAL'],
        [40, 2, 'retried', 'INTERNAL'],
        [50, 3, 'dead_letter', 'INTERNAL'],
        [20, 1, 'completed', undefined],
      ],
    );
    const [line] = lines;
    assert.deepEqual([line?.['component'], line?.['plugin']], ['jobs', 'sender']);
    for (const field of ['durationMs', 'waitedMs']) assert.equal(typeof line?.[field], 'number');
    assert.match(String(line?.['jobId']), /^[0-9a-f-]{36}$/);
    await assert.rejects(deadLetters.replayDeadLetter(letter.id), { code: 'NOT_FOUND' });
    await assert.rejects(deadLetters.replayDeadLetter('x'), { code: 'NOT_FOUND' });
    instance.die();
  });

  it('brings a job back whose process went away, and fetches nothing for it any more', async () => {
    const begun = Promise.withResolvers<void>();
    const instance = await work(
      'sender.gone',
      () => {
        begun.resolve();
        return new Promise(() => undefined);
      },
      1,
    );
    await send('sender.gone', 1);
    await send('sender.gone', 2);
    await begun.promise;
    instance.die();
    await until('the job is back', async () => (await stateOf('sender.gone')).every((job) => job.state !== 'active'));
    const done: number[] = [];
    const next = await work('sender.gone', (input) => done.push(input.data.n));
    await until('both are done', () => done.length === 2);
    assert.deepEqual(
      done.toSorted((a, b) => a - b),
      [1, 2],
    );
    next.die();
  });

  it('takes over from a node that gives no sign, and leaves a job that runs long where it is', async () => {
    const long: number[] = [];
    const release = Promise.withResolvers<void>();
    const instance = await work('sender.silent', (input) => {
      long.push(input.data.n);
      return input.data.n === 1 ? release.promise : undefined;
    });
    await send('sender.silent', 1);
    await until('the long one runs', () => long.length === 1);
    // Claimed as by a node that is killed in the next moment: nobody settles it, nobody gives a sign.
    await fixture.database.admin.query(
      `insert into pgboss.job (name, data, state, started_on, heartbeat_on, heartbeat_seconds, expire_seconds, singleton_key, retry_limit, policy)
       select name, jsonb_set(data, '{data,n}', '2'), 'active', now(), now(), heartbeat_seconds, expire_seconds, 'lost', 3, policy
       from pgboss.job where name = 'sender.silent'`,
    );
    await until('the lost one is done', () => long.includes(2), 60_000);
    assert.deepEqual(long, [1, 2]);
    release.resolve();
    await until('the long one is done', async () =>
      (await stateOf('sender.silent')).every((job) => job.state === 'completed'),
    );
    instance.die();
  });

  it('runs no more at once than it was told', async () => {
    let running = 0;
    let most = 0;
    let ended = 0;
    const gate = Promise.withResolvers<void>();
    const instance = await work(
      'sender.many',
      async () => {
        running += 1;
        most = Math.max(most, running);
        if (running === 3) gate.resolve();
        await gate.promise;
        running -= 1;
        ended += 1;
      },
      3,
    );
    await Promise.all(Array.from({ length: 20 }, (_, n) => send('sender.many', n)));
    await until('all are done', () => ended === 20);
    assert.equal(most, 3);
    instance.die();
  });

  it('refuses a queue on which another plugin works, and queues of the core', async () => {
    const instance = await work('sender.taken', () => undefined);
    const other = createFakeInstance('third');
    const args = { queue: 'sender.taken', concurrency: 1, handler: 0 };
    await assert.rejects(callCapability(node.work, other, { method: 'work', args }), {
      code: 'INVALID_CALL',
      message: 'Cannot work on queue "sender.taken": plugin "sender" works on it',
    });
    instance.die();
    for (const queue of ['event.receiver.order.created', 'core.inbox-prune', 'sender.taken.dead']) {
      await assert.rejects(send(queue, 1), { code: 'INVALID_CALL' });
    }
  });

  it('gives a job back unharmed when the core stops before it is done', async () => {
    const second = await fixture.startNode();
    const begun = Promise.withResolvers<void>();
    const instance = createFakeInstance('sender');
    const handler = instance.add(() => {
      begun.resolve();
      return new Promise(() => undefined);
    });
    await callCapability(second.work, instance, {
      method: 'work',
      args: { queue: 'sender.stop', concurrency: 1, handler },
    });
    await send('sender.stop', 1);
    await begun.promise;
    await second.jobs.stop();
    assert.deepEqual(await stateOf('sender.stop'), [{ state: 'created', attempts: 0 }]);
    instance.die();
  });

  it('reports depths and ages of queues before a scrape', async () => {
    await send('sender.later', 1, { startAfterSeconds: 3600 });
    await send('sender.idle', 1);
    await send('sender.idle', 2, { startAfterSeconds: 3600 });
    const third = await createFixtureScrape();
    assert.match(third, /returnit_job_queue_depth\{queue="sender.idle",state="queued"\} 1/);
    assert.match(third, /returnit_job_queue_depth\{queue="sender.idle",state="deferred"\} 1/);
    assert.match(third, /returnit_job_oldest_age_seconds\{queue="sender.idle"\} \d/);
    // Of what may not run yet none is old.
    assert.match(third, /returnit_job_oldest_age_seconds\{queue="sender.later"\} 0\n/);
    assert.match(third, /returnit_outbox_depth 0/);
  });

  async function createFixtureScrape(): Promise<string> {
    await until('both jobs are in the queue', async () => (await stateOf('sender.idle')).length === 2);
    // A new node has read nothing yet, so that its collector does so now.
    await fixture.startNode();
    return (await fixture.telemetry.metrics.render()).body;
  }
});
