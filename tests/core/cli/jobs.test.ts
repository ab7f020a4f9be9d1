import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as pg from 'pg';
import type { ListedLetter, ListedQueue, ShownJob } from '#core/cli/jobs-api.ts';
import type { Api } from '../../support/api-client.ts';
import { runCli, type CliResult } from '../../support/cli.ts';
import { startPlatform, type TestPlatform } from '../../support/platform.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

const queue = 'failing.work';

describe('returnit jobs', { timeout: 300_000 }, () => {
  let database: TestDatabase;
  let client: pg.Client;
  let platform: TestPlatform;
  let ops: Api;
  const traces: string[] = [];

  before(async () => {
    database = await createTestDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    platform = await startPlatform({
      fixtures: ['failing'],
      config: { plugins: ['failing'], databaseUrl: database.url, jobRetryLimit: 1 },
    });
    ops = await platform.as('ops', 'operator');
    for (let n = 1; n <= 5; n += 1) {
      traces.push((await ops.ok<{ traceId: string }>('POST', '/failing/jobs', { n })).traceId);
      await until('it is a dead letter', async () => (await letters()).length === n);
    }
  });
  after(async () => {
    await platform?.stop();
    await client?.end();
    await database?.drop();
  });

  const letters = async (): Promise<readonly ListedLetter[]> =>
    (await ops.ok<{ letters: ListedLetter[] }>('GET', '/jobs/dead-letters?limit=100')).letters;
  const jobs = (...args: readonly string[]): Promise<CliResult> =>
    runCli(['jobs', ...args], { DATA_DIR: platform.dataDir });
  async function json<T>(...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await jobs(...args, '--json');
    assert.deepEqual([code, stderr], [0, '']);
    return JSON.parse(stdout) as T;
  }
  const done = (): Promise<number> => platform.sample('returnit_failing_done_total');

  it('list: the queues, and what waits, runs and has failed in them', async () => {
    const { stdout, code } = await jobs('list');
    assert.equal(code, 0);
    assert.match(stdout, /^QUEUE +QUEUED +DEFERRED +ACTIVE +OVERDUE +FAILED +OLDEST\n/);
    assert.match(stdout, /^failing\.work +0 +0 +0 +0 +5 +-$/m);
    assert.match(stdout, /No active job is past its deadline/);
    assert.equal((await jobs()).stdout, stdout, 'is what "returnit jobs" does');
    const { queues } = await json<{ queues: ListedQueue[] }>('list');
    assert.ok(queues.every(({ queue: name }) => !name.endsWith('.dead')));
    assert.equal(queues.find(({ queue: name }) => name === queue)?.failed, 5);
  });

  it('list: active jobs past their deadline', async () => {
    const overdue = await until('it is seen before pg-boss ends it', async () => {
      // As a core that was killed leaves a job behind.
      await client.query(
        `insert into pgboss.job (name, data, state, started_on, expire_seconds, singleton_key)
         values ($1, '{"data":{"n":0},"traceparent":null}', 'active', now() - interval '1 hour', 75, gen_random_uuid()::text)`,
        [queue],
      );
      const found = await json<{ overdue: ShownJob[]; queues: ListedQueue[] }>('list');
      return found.overdue.length > 0 && found;
    });
    const [job] = overdue.overdue;
    assert.equal(job?.queue, queue);
    const lateMs = Date.now() - Date.parse(job?.deadlineAt ?? '');
    assert.ok(lateMs > 58 * 60_000 && lateMs < 3_600_000, 'the deadline of the handler: a minute after its start');
    const { stdout } = await jobs();
    if (!stdout.includes('No active job')) assert.match(stdout, /\nActive past their deadline:\nID +QUEUE +STARTED/);
    await client.query(`delete from pgboss.job where name = $1 and state in ('active', 'retry', 'failed', 'created')`, [
      queue,
    ]);
  });

  it('dead: of one queue or of all, oldest first, page after page', async () => {
    const { stdout } = await jobs('dead', queue);
    const lines = stdout.trim().split('\n');
    assert.match(lines[0] ?? '', /^ID +QUEUE +FAILED +ATTEMPTS +ERROR$/);
    assert.match(lines[1] ?? '', /failing\.work .* 1 +.*/);
    const all = await json<ListedLetter[]>('dead');
    assert.deepEqual(
      all.map(({ data }) => (data as { n: number }).n),
      [1, 2, 3, 4, 5],
    );
    assert.deepEqual(
      all.map(({ traceId }) => traceId),
      traces,
    );
    const first = await ops.ok<{ letters: ListedLetter[]; nextCursor: string }>('GET', '/jobs/dead-letters?limit=3');
    const rest = await ops.ok<{ letters: ListedLetter[]; nextCursor: null }>(
      'GET',
      `/jobs/dead-letters?limit=3&cursor=${first.nextCursor}`,
    );
    assert.deepEqual(
      [...first.letters, ...rest.letters].map(({ id }) => id),
      all.map(({ id }) => id),
    );
    assert.equal(rest.nextCursor, null);
    assert.equal((await ops.request('GET', '/jobs/dead-letters?cursor=abc')).status, 422);
  });

  it('dead: says so when there is no such queue', async () => {
    const { code, stderr } = await jobs('dead', 'nothing.at.all');
    assert.deepEqual([code, stderr], [1, 'Cannot list dead letters: there is no queue "nothing.at.all"\n']);
  });

  it('show: with data, error and trace', async () => {
    const [letter] = await letters();
    const { stdout } = await jobs('show', letter?.id ?? '');
    assert.match(stdout, /^id +[0-9a-f-]{36}\nqueue +failing\.work\nstate +dead\nattempts +1\n/);
    assert.ok(stdout.includes(`trace     ${traces[0]}`));
    assert.match(stdout, /\ndata\n\{\n {2}"n": 1\n\}\n/);
    assert.equal((await json<ShownJob>('show', letter?.id ?? '')).state, 'dead');
    const nobody = '00000000-0000-4000-8000-000000000000';
    assert.equal((await jobs('show', nobody)).stderr, `Cannot find job "${nobody}": there is none with this id\n`);
    assert.equal((await jobs('show', 'x')).code, 1);
  });

  it('replay: those that are named; what fails again is a dead letter again', async () => {
    const [first] = await letters();
    const { stdout } = await jobs('replay', first?.id ?? '');
    assert.equal(stdout, `${first?.id} replayed: ${queue}\n1 replayed\n`);
    await until('it has failed again', async () =>
      (await letters()).some(({ data }) => (data as { n: number }).n === 1),
    );
    assert.equal(await platform.sample('returnit_job_dead_letters_total', { queue, action: 'replayed' }), 1);
    const line = platform.logs.find(({ msg }) => msg === 'Dead letter replayed');
    assert.deepEqual([line?.['jobId'], line?.['principal']], [first?.id, 'returnit-cli']);
  });

  it('drop: for good', async () => {
    const [first] = await letters();
    assert.deepEqual(await json('drop', first?.id ?? ''), [{ id: first?.id, queue, error: null }]);
    assert.equal((await letters()).length, 4);
    const { code, stderr, stdout } = await jobs('drop', first?.id ?? '');
    assert.equal(code, 1);
    assert.match(stdout, /there is none with this id\n0 dropped\n$/);
    assert.equal(stderr, 'Cannot drop 1 of 1 dead letters\n');
    assert.equal(await platform.sample('returnit_job_dead_letters_total', { queue, action: 'dropped' }), 1);
  });

  it('replay: leaves a letter where it is when another job of its key waits', async () => {
    await ops.ok('POST', '/failing/jobs', { n: 9, key: 'one-at-a-time' });
    const letter = await until('it is a dead letter', async () =>
      (await letters()).find(({ data }) => (data as { n: number }).n === 9),
    );
    await client.query(
      `insert into pgboss.job (name, data, start_after, singleton_key, policy) values ($1, '{}', now() + interval '1 hour', 'one-at-a-time', 'exclusive')`,
      [queue],
    );
    const { status, body } = await ops.request('POST', `/jobs/dead-letters/${letter.id}/replay`);
    assert.deepEqual([status, body.code], [409, 'JOB_KEY_TAKEN']);
    assert.ok((await letters()).some(({ id }) => id === letter.id));
    await client.query(`delete from pgboss.job where singleton_key = 'one-at-a-time'`);
  });

  it('dead, show and replay: deliveries of events as well', async () => {
    const ofEvents = 'event.failing.failing.happened';
    await ops.ok('POST', '/failing/events', { n: 77 });
    await until('it is a dead letter', async () => (await letters()).some(({ queue: name }) => name === ofEvents));
    const [letter, ...others] = await json<ListedLetter[]>('dead', ofEvents);
    assert.ok(letter !== undefined && others.length === 0);
    assert.match(JSON.stringify(letter.error), /deaf to 77/);
    const { stdout } = await jobs('show', letter.id);
    assert.match(stdout, /^queue +event\.failing\.failing\.happened\nstate +dead\nattempts +2$/m);
    assert.match(stdout, /"n": 77/);
    await ops.ok('POST', '/failing/events/heal');
    assert.equal((await jobs('replay', letter.id)).stdout, `${letter.id} replayed: ${ofEvents}\n1 replayed\n`);
    await until('it is heard', async () => (await platform.sample('returnit_failing_heard_total')) === 1);
    assert.ok((await letters()).every(({ queue: name }) => name !== ofEvents));
  });

  it('replay --all: everything, and all of it is done then', async () => {
    await ops.ok('POST', '/failing/heal');
    const outcomes = await json<{ error: string | null }[]>('replay', '--all', '--queue', queue);
    assert.deepEqual(
      outcomes.map(({ error }) => error),
      [null, null, null, null],
    );
    await until('all is done', async () => (await done()) === 4);
    assert.deepEqual(await letters(), []);
    assert.equal((await jobs('dead')).stdout, 'There are no dead letters\n');
  });

  it('replay and drop: must be told which', async () => {
    for (const args of [['replay'], ['drop'], ['replay', '--queue', queue]]) {
      const { code, stderr } = await jobs(...args);
      assert.equal(code, 1);
      assert.match(stderr, /^Cannot choose dead letters: /);
    }
  });

  it('is for ops alone', async () => {
    const customer = await platform.as('customer', 'c');
    for (const path of ['/jobs/queues', '/jobs/overdue', '/jobs/dead-letters']) {
      assert.equal((await customer.request('GET', path)).status, 403, path);
    }
  });
});
