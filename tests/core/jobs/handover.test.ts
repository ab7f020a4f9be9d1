import assert from 'node:assert/strict';
import { after, before, describe, it, mock } from 'node:test';
import { Handover } from '#core/jobs/handover.ts';
import type { ClaimedJob } from '#core/jobs/job-run.ts';
import { Workers } from '#core/jobs/workers.ts';
import { callCapability, createFakeInstance, type FakeInstance } from '../../support/fake-instance.ts';
import { createJobFixture, type JobFixture, type Node } from '../../support/job-fixture.ts';
import { until } from '../../support/until.ts';

interface Input {
  readonly data: { readonly n: number };
  readonly attempt: number;
}

describe('Handover', () => {
  let fixture: JobFixture;
  let node: Node;

  before(async () => {
    // Nothing that happens here waits for a look.
    fixture = await createJobFixture(['sender'], { jobPollMs: 600_000 });
    node = await fixture.startNode();
  });
  after(() => fixture.stop());

  const work = async (
    at: Node,
    queue: string,
    { run, concurrency = 1 }: { readonly run: (input: Input) => unknown; readonly concurrency?: number },
  ): Promise<FakeInstance> => {
    const instance = createFakeInstance('sender');
    const handler = instance.add(run);
    await callCapability(at.work, instance, { method: 'work', args: { queue, concurrency, handler } });
    return instance;
  };
  const send = (queue: string, n: number, options: object = {}) =>
    callCapability(node.work, createFakeInstance('sender'), { method: 'send', args: { queue, data: { n }, options } });
  const statesOf = async (queue: string): Promise<readonly string[]> => {
    const { rows } = await fixture.database.admin.query<{ state: string }>(
      'select state::text as state from pgboss.job where name = $1 order by created_on, id',
      [queue],
    );
    return rows.map(({ state }) => state);
  };

  it('runs a new job without fetching it, and retries it as any other', async () => {
    const attempts: number[] = [];
    const run = ({ attempt }: Input): void => {
      attempts.push(attempt);
      if (attempt === 1) throw new Error('not yet');
    };
    const fetch = mock.method(node.jobs.boss, 'fetch');
    const instance = await work(node, 'sender.straight', { run });
    await until('it has looked for older ones', () => fetch.mock.callCount() === 1);
    await fetch.mock.calls[0]?.result;
    await send('sender.straight', 1);
    await until('it is tried', () => attempts.length === 1);
    assert.equal(fetch.mock.callCount(), 1);
    fetch.mock.restore();
    await until('it waits for its next try', async () => (await statesOf('sender.straight'))[0] === 'retry');
    instance.die();
  });

  it('leaves to other nodes what it has no place for, and tells them', async () => {
    const release = Promise.withResolvers<void>();
    const begun: string[] = [];
    const first = await work(node, 'sender.full', { run: ({ data }) => (begun.push(`1:${data.n}`), release.promise) });
    await send('sender.full', 1);
    await until('the place is taken', () => begun.length === 1);
    const second = await fixture.startNode();
    const other = await work(second, 'sender.full', { run: ({ data }) => void begun.push(`2:${data.n}`) });
    // Another transaction each: whichever node moves it, one of them has a place.
    for (let n = 2; n < 12; n += 1) await send('sender.full', n);
    await until('all the others are done there', () => begun.length === 11);
    assert.equal(new Set(begun.map((entry) => entry.split(':')[1])).size, 11);
    assert.deepEqual(
      begun.filter((entry) => entry.startsWith('1:')),
      ['1:1'],
    );
    release.resolve();
    first.die();
    other.die();
  });

  it('gives places back when the transaction fails, and for what was not put into the queue', async () => {
    const reserved: number[] = [];
    const given: [number, readonly ClaimedJob[]][] = [];
    const workers = new Workers();
    workers.add({
      queue: 'sender.failed',
      wake: () => undefined,
      stop: () => Promise.resolve(),
      reserve(wanted) {
        reserved.push(wanted);
        return Math.min(wanted, 2);
      },
      begin: (slots, jobs) => void given.push([slots, jobs]),
    });
    await node.jobs.queues.ensure('sender.failed');
    const client = await fixture.database.admin.connect();
    try {
      await client.query('begin');
      const handover = new Handover(workers);
      const ids = ['00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002'];
      assert.equal(await handover.claim(client, 'sender.failed', [...ids, ids[0] ?? '']), true);
      assert.equal(await handover.claim(client, 'nobody.works', ids), true);
      assert.equal(await handover.claim(client, 'sender.failed', ids), false);
      await client.query('rollback');
      handover.release();
      handover.release();
    } finally {
      client.release();
    }
    assert.deepEqual(reserved, [3, 2]);
    assert.deepEqual(given, [
      [2, []],
      [2, []],
    ]);
  });

  it('does not pass what waits already', async () => {
    const release = Promise.withResolvers<void>();
    const seen: number[] = [];
    await node.jobs.queues.ensure('sender.waiting');
    // One after another: jobs that reach their queue by one statement are equally old.
    for (const n of [1, 2, 3]) {
      await send('sender.waiting', n);
      await until('it waits', async () => (await statesOf('sender.waiting')).length === n);
    }
    const instance = await work(node, 'sender.waiting', {
      run: async ({ data }) => {
        seen.push(data.n);
        if (data.n === 1) await release.promise;
      },
    });
    await until('the first runs', () => seen.length === 1);
    await send('sender.waiting', 4);
    await until('it waits too', async () => (await statesOf('sender.waiting')).length === 4);
    release.resolve();
    await until('all are done', () => seen.length === 4);
    assert.deepEqual(seen, [1, 2, 3, 4]);
    instance.die();
  });
});
