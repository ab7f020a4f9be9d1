import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Client } from 'pg';
import { toPluginUrl } from '#core/database/database-url.ts';
import { createFakeInstance, callCapability } from '../../support/fake-instance.ts';
import { createJobFixture, type JobFixture, type Node } from '../../support/job-fixture.ts';
import { until } from '../../support/until.ts';

describe('createRelay()', () => {
  let fixture: JobFixture;
  let node: Node;
  const sender = createFakeInstance('sender');

  before(async () => {
    fixture = await createJobFixture(['sender', 'receiver']);
    node = await fixture.startNode();
  });
  after(() => fixture.stop());

  const send = (queue: string, n: number, tx?: string) =>
    callCapability(node.work, sender, {
      method: 'send',
      args: { queue, data: { n }, options: {}, ...(tx ? { tx } : {}) },
    });
  const jobsOf = async (queue: string): Promise<number[]> => {
    const { rows } = await fixture.database.admin.query<{ n: number }>(
      `select (data->'data'->>'n')::int as n from pgboss.job where name = $1 order by created_on, id`,
      [queue],
    );
    return rows.map((row) => row.n);
  };
  const outboxIsEmpty = async () => {
    const { rows } = await fixture.database.admin.query<{ rows: number }>(
      'select count(*)::int as rows from returnit.outbox',
    );
    return rows[0]?.rows === 0;
  };

  it('moves what a transaction wrote when it commits, in its order', async () => {
    const tx = await fixture.transactions.begin(sender);
    for (let n = 0; n < 5; n += 1) await send('sender.commit', n, tx);
    assert.deepEqual(await jobsOf('sender.commit'), []);
    await fixture.transactions.commit(sender, tx);
    await until('the jobs are in the queue', async () => (await jobsOf('sender.commit')).length === 5);
    const [job] = await node.jobs.boss.fetch<{ data: { n: number } }>('sender.commit');
    assert.equal(job?.data.data.n, 0);
  });

  it('moves nothing of a transaction that rolls back', async () => {
    const tx = await fixture.transactions.begin(sender);
    await send('sender.rollback', 1, tx);
    await fixture.transactions.rollback(sender, tx);
    await send('sender.rollback', 2);
    await until('the other job is in the queue', async () => (await jobsOf('sender.rollback')).length > 0);
    assert.deepEqual(await jobsOf('sender.rollback'), [2]);
  });

  it('refuses a row that a plugin wrote by itself, keeps it and says so', async () => {
    const client = new Client({ connectionString: toPluginUrl(fixture.database.url, 'sender') });
    await client.connect();
    const id = randomUUID();
    await client.query(`select returnit.outbox_add($1, 'payments', 'job', 'payments.refund', '{}', '{}', null, $2)`, [
      id,
      Buffer.alloc(32),
    ]);
    await assert.rejects(client.query('select key from returnit.seal_key'), /permission denied/);
    await assert.rejects(client.query('select * from returnit.outbox'), /permission denied/);
    await assert.rejects(
      client.query('insert into returnit.event_subscription values ($1, $2)', ['a', 'b']),
      /permission denied/,
    );
    await client.end();
    const row = await until('the forgery is reported', () => node.forged.find((forged) => forged.id === id));
    assert.equal(row.role, 'returnit_sender');
    const { rows } = await fixture.database.admin.query(
      'select reason, role, name from returnit.outbox_rejected where id = $1',
      [id],
    );
    assert.deepEqual(rows, [{ reason: 'forged', role: 'returnit_sender', name: 'payments.refund' }]);
    assert.equal(await node.jobs.boss.getQueue('payments.refund'), null);
    const { body } = await fixture.telemetry.metrics.render();
    assert.match(body, /returnit_outbox_rejected_total\{reason="forged"\} 1/);
  });

  it('sets aside a row that the queues refuse and moves the others', async () => {
    const bad = { startAfterSeconds: 1e300 };
    await node.jobs.outbox.add(fixture.database.admin, {
      plugin: 'sender',
      kind: 'job',
      name: 'sender.bad',
      data: { n: 0 },
      options: bad,
    });
    await send('sender.good', 1);
    await until('the good job is in the queue', async () => (await jobsOf('sender.good')).length === 1);
    await until('the outbox is empty', outboxIsEmpty);
    const { rows } = await fixture.database.admin.query(
      `select name from returnit.outbox_rejected where reason like 'undeliverable%'`,
    );
    assert.deepEqual(rows, [{ name: 'sender.bad' }]);
  });

  it('refuses data that no queue could store, in the call that sends it', async () => {
    const args = { queue: 'sender.zero', data: { text: '\u0000' }, options: {} };
    await assert.rejects(callCapability(node.work, sender, { method: 'send', args }), {
      code: 'DATABASE_ERROR',
      details: { sqlstate: '22P05' },
    });
  });

  it('moves each row once when two nodes relay', async () => {
    await fixture.startNode();
    await Promise.all(Array.from({ length: 300 }, (_, n) => send('sender.twice', n)));
    await until('the outbox is empty', outboxIsEmpty);
    const moved = await jobsOf('sender.twice');
    assert.deepEqual(
      moved.toSorted((a, b) => a - b),
      Array.from({ length: 300 }, (_, n) => n),
    );
  });

  it('keeps at most one unfinished job of a singletonKey', async () => {
    for (let n = 0; n < 3; n += 1) {
      await callCapability(node.work, sender, {
        method: 'send',
        args: { queue: 'sender.single', data: { n }, options: { singletonKey: 'k' } },
      });
    }
    await until('the outbox is empty', outboxIsEmpty);
    // Several relays take rows at once: which of the three is kept is the one whose relay commits first.
    assert.equal((await jobsOf('sender.single')).length, 1);
  });
});
