/** What is done later, and is not. */
import { until } from '../../support/until.ts';
import type { Fault } from '../fault.ts';
import { holdLock } from '../hold-lock.ts';
import type { System } from '../system.ts';

const saboteur = { plugin: 'saboteur', service: 'saboteur' };
const core = { service: 'core' };

/** What has failed for the last time is taken again. */
async function replayAll({ ops }: System): Promise<void> {
  await until('no job is given up', async () => {
    const { letters } = await ops.ok<{ letters: { id: string }[] }>('GET', '/jobs/dead-letters?limit=100');
    for (const { id } of letters) await ops.ok('POST', `/jobs/dead-letters/${id}/replay`);
    return letters.length === 0;
  });
}

export const jobFaults: readonly Fault[] = [
  {
    name: 'poison-job',
    what: 'Jobs fail each time that they are tried',
    expects: [
      { alert: 'JobsFailing', labels: { ...saboteur, queue: 'saboteur.poison' } },
      { alert: 'JobsGivenUp', labels: { ...saboteur, queue: 'saboteur.poison' } },
    ],
    async inject(system) {
      await system.sabotage('poison', 40);
      const load = system.caller.keep(() => system.caller.post('/saboteur/poison', { amount: 2 }), {
        perSecond: 1,
        callers: 1,
      });
      return async () => {
        await load.stop();
        await system.sabotage('heal');
        await replayAll(system);
      };
    },
  },
  {
    name: 'blocked-queue',
    what: 'A job does not end, and all behind it wait',
    expects: [{ alert: 'JobQueueStalled', labels: { ...saboteur, queue: 'saboteur.held' } }],
    async inject(system) {
      await system.sabotage('held', 10);
      return () => system.sabotage('heal');
    },
  },
  {
    name: 'outbox-stuck',
    what: 'What the outbox is handed on with is locked',
    expects: [{ alert: 'OutboxStalled', labels: core }],
    async inject(system) {
      const release = await holdLock(system, 'returnit.event_subscription');
      await system.sabotage('events', 3);
      return async () => {
        await system.sabotage('heal');
        await release();
      };
    },
  },
  {
    name: 'late-events',
    what: 'A plugin takes five seconds for each event, and more come',
    needs: { environment: { EVENT_CONCURRENCY: '1' } },
    expects: [{ alert: 'EventsLate', labels: { ...saboteur, event: 'saboteur.happened' } }],
    // So long until the first is half a minute late.
    leadSeconds: 60,
    async inject(system) {
      await system.sabotage('events', 40);
      return () => system.sabotage('heal');
    },
  },
  {
    name: 'forged-outbox',
    what: "A row is written to the outbox in another plugin's name, past the permission check",
    expects: [{ alert: 'OutboxForged', labels: { ...core, reason: 'forged' } }],
    async inject(system) {
      await system.withDatabase((client) =>
        client.query(
          `select returnit.outbox_add(gen_random_uuid(), 'payments', 'event', 'payment.authorised', '{}', '{}', null, '\\x00')`,
        ),
      );
      return () => Promise.resolve();
    },
  },
];
