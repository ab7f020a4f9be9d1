import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { callCapability, createFakeInstance } from '../../support/fake-instance.ts';
import { createJobFixture, type JobFixture, type Node } from '../../support/job-fixture.ts';
import { until } from '../../support/until.ts';

describe('createSchedules()', () => {
  let fixture: JobFixture;
  let nodes: Node[];

  before(async () => {
    fixture = await createJobFixture(['sender']);
    nodes = [await fixture.startNode(), await fixture.startNode()];
  });
  after(() => fixture.stop());

  const schedule = async (node: Node | undefined, args: object) => {
    assert.ok(node);
    const instance = createFakeInstance('sender');
    const defaults = { queue: 'sender.tick', cron: '* * * * *', timeZone: 'UTC', data: { n: 1 } };
    await callCapability(node.work, instance, { method: 'schedule', args: { ...defaults, ...args } });
    return instance;
  };

  it('refuses an expression that is none, and an unknown time zone', async () => {
    await assert.rejects(schedule(nodes[0], { cron: '* * * * * *' }), {
      code: 'INVALID_CALL',
      message: 'Cannot schedule by "* * * * * *": a cron expression has 5 fields, it has 6',
    });
    await assert.rejects(schedule(nodes[0], { cron: '61 * * * *' }), { code: 'INVALID_CALL' });
    await assert.rejects(schedule(nodes[0], { timeZone: 'Mars/Olympus' }), { code: 'INVALID_CALL' });
  });

  it('removes the schedules that a plugin did not make again when it was ready', async () => {
    await schedule(nodes[0], { queue: 'sender.old', cron: '0 3 * * *' });
    const instance = await schedule(nodes[0], { queue: 'sender.kept', cron: '0 3 * * *' });
    await nodes[0]?.work.settle(instance);
    const left = (await nodes[0]?.jobs.boss.getSchedules()) ?? [];
    assert.deepEqual(left.map((each) => each.name).toSorted(), ['core.inbox-prune', 'sender.kept']);
  });

  it('sends one job at each occurrence, however many nodes run', { timeout: 150_000 }, async () => {
    const handled: unknown[] = [];
    for (const node of nodes) {
      const instance = await schedule(node, {});
      const handler = instance.add((input: { data: unknown }) => handled.push(input.data));
      await callCapability(node.work, instance, {
        method: 'work',
        args: { queue: 'sender.tick', concurrency: 2, handler },
      });
    }
    const ask = async <T>(text: string) => (await fixture.database.admin.query<{ answer: T }>(text)).rows[0]?.answer;
    await until('the first job is done', () => handled.length > 0, 90_000);
    const first = await ask<Date>(`select max(created_on) as answer from pgboss.job where name = 'sender.tick'`);
    // Both nodes have looked again, for the same minute, when the last look is two intervals after the first job.
    const looked = `select cron_on > '${first?.toISOString()}'::timestamptz + interval '21 seconds' as answer from pgboss.version`;
    await until('the nodes have looked again', () => ask<boolean>(looked), 60_000);
    const doubled = await ask<number>(
      `select count(*)::int as answer from (
         select from pgboss.job where name = 'sender.tick' group by date_trunc('minute', created_on) having count(*) > 1) d`,
    );
    assert.equal(doubled, 0);
    assert.deepEqual(handled[0], { n: 1 });
  });
});
