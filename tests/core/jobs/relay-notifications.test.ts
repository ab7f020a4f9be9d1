import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { invalidationChannel } from '#core/cache/invalidation.ts';
import { callCapability, createFakeInstance } from '../../support/fake-instance.ts';
import { createJobFixture, type JobFixture, type Node } from '../../support/job-fixture.ts';
import { until } from '../../support/until.ts';

describe('what a commit tells', () => {
  let fixture: JobFixture;
  let node: Node;
  const told: string[] = [];
  const sender = createFakeInstance('sender');

  before(async () => {
    // So long that no poll moves anything within the test.
    fixture = await createJobFixture(['sender'], { outboxPollMs: 3_600_000 });
    node = await fixture.startNode();
    await node.jobs.listener.listen(invalidationChannel, {
      onNotification: (payload) => told.push(payload),
      onReconnect: () => undefined,
    });
  });
  after(() => fixture.stop());

  const publish = (orderId: string, tx?: string) =>
    callCapability(node.events, sender, {
      method: 'publish',
      args: { event: 'order.created', data: { orderId }, ...(tx === undefined ? {} : { tx }) },
    });
  const outboxIds = async (): Promise<string[]> => {
    const { rows } = await fixture.database.admin.query<{ id: string }>('select id from returnit.outbox');
    return rows.map(({ id }) => id);
  };

  it('moves and tells all nodes what a transaction published, once it has committed', async () => {
    const tx = await fixture.transactions.begin(sender);
    await publish('o1', tx);
    await publish('o2', tx);
    await fixture.transactions.commit(sender, tx);
    await until('both are told', () => told.length === 2);
    const heard = told.map((payload) => (JSON.parse(payload) as unknown[]).slice(1));
    assert.deepEqual(heard, [
      ['order.created', { orderId: 'o1' }],
      ['order.created', { orderId: 'o2' }],
    ]);
    assert.deepEqual(await outboxIds(), []);
  });

  it('moves at once what is published or sent alone', async () => {
    told.length = 0;
    await publish('o3');
    await until('it is told', () => told.length === 1);
    const args = { queue: 'sender.alone', data: {}, options: {} };
    await callCapability(node.work, sender, { method: 'send', args });
    await until('the outbox is empty', async () => (await outboxIds()).length === 0);
    assert.equal(told.length, 1, 'a job changes nothing that is kept');
  });

  it('leaves to the next commit what was rolled back', async () => {
    told.length = 0;
    const tx = await fixture.transactions.begin(sender);
    await publish('o4', tx);
    await fixture.transactions.rollback(sender, tx);
    await publish('o5');
    await until('the other is told', () => told.length > 0);
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /o5/);
  });
});
