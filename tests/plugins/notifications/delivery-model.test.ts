import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { Delivery } from '../../../plugins/notifications/channels/channel.ts';
import { audienceOf, type TemplateName } from '../../../plugins/notifications/audience.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { startMessenger, startOfTest, type Messenger } from './messenger.ts';

const story = [
  ['order.created', 'created'],
  ['order.scheduled', 'scheduled'],
  ['order.assigned', 'assigned'],
  ['order.started', 'on_the_way'],
  ['order.arrived', 'arrived'],
  ['order.picked_up', 'picked_up'],
  ['order.delivered', 'delivered'],
  ['order.completed', 'completed'],
] as const;

/** Events by their place in the story, in the order in which they come, some twice; -1 lets a minute and a half pass. */
const arrivals = fc
  .array(fc.integer({ min: -1, max: story.length - 1 }), { maxLength: 12 })
  .chain((extra) => fc.shuffledSubarray([...story.keys(), ...extra], { minLength: story.length + extra.length }));
const outcome = fc.constantFrom<Delivery | 'throws' | 'killed'>(
  { kind: 'sent' },
  { kind: 'sent' },
  { kind: 'deferred', reason: 'away' },
  { kind: 'uncertain', reason: 'cut' },
  'throws',
  'killed',
);

interface Course {
  readonly events: readonly number[];
  readonly script: readonly (Delivery | 'throws' | 'killed')[];
  readonly runBetween: boolean;
}

async function follow(data: PluginDatabase, { events, script, runBetween }: Course) {
  await data.sql('truncate notifications, people, order_progress');
  /** Templates in the order in which the provider got them. */
  const sent: string[] = [];
  const steps = [...script];
  const ids = new Map<string, Set<string>>();
  const messenger: Messenger = await startMessenger(
    data,
    [
      {
        name: 'push',
        async send({ id, template }) {
          const next = steps.shift() ?? { kind: 'sent' };
          ids.set(template, (ids.get(template) ?? new Set()).add(id));
          if (next === 'throws') throw new Error('a fault');
          if (next !== 'killed') {
            if (next.kind === 'sent') sent.push(template);
            return next;
          }
          // The provider has it, and the process is gone before it could say so: its word does not count, its job comes again.
          sent.push(template);
          await data.sql('update notifications set attempts = attempts + 1 where notification_id = $1', [id]);
          messenger.redeliver(id, 'notifications.push');
          return { kind: 'sent' };
        },
      },
    ],
    { NOTIFICATIONS_ATTEMPTS_MAX: '50' },
  );
  await messenger.prefer('c1', { pushToken: 'token-of-anna' });
  for (const index of events) {
    if (index === -1) messenger.clock.nowMs += 90_000;
    const [name, status] = story[index] ?? [];
    if (name !== undefined) {
      const facts = { orderId: 'o1', customerId: 'c1', version: index + 1, status };
      const at = new Date(startOfTest - 60_000 + index).toISOString();
      await messenger.running.deliver(name, facts, name, at);
    }
    if (runBetween) await messenger.runDue();
  }
  await messenger.runAll();
  return { sent, ids, rows: await messenger.states() };
}

const isPassing = (event: string): boolean => audienceOf(event as TemplateName).passing === true;

describe('delivery, whatever comes in whatever order', () => {
  let data: PluginDatabase;
  before(async () => {
    data = await createPluginDatabase('notifications');
  });
  after(() => data.stop());

  it('ends every message, tells nothing under two ids, and nothing passing after something newer', async () => {
    const course = fc.record({
      events: arrivals,
      script: fc.array(outcome, { maxLength: 12 }),
      runBetween: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(course, async (drawn) => {
        const { sent, ids, rows } = await follow(data, drawn);
        assert.equal(rows.length, story.length, 'a message an event');
        for (const { event, state } of rows) {
          const isRight = state === 'sent' || (state === 'dropped' && isPassing(event));
          assert.ok(isRight, `${event} ${state}`);
        }
        for (const [template, known] of ids) assert.equal(known.size, 1, template);
        // The first time that each was told: only what is told in any case may come after something newer.
        const first = [...new Set(sent)].map((template) => story.findIndex(([name]) => name === template));
        for (const [place, version] of first.entries()) {
          const [name = ''] = story[version] ?? [];
          const isAfterNewer = first.slice(0, place).some((other) => other > version);
          assert.ok(!isAfterNewer || !isPassing(name), `${name} in ${sent.join(', ')}`);
        }
      }),
      // As many as there is time for: each is some hundred statements.
      { numRuns: 60, interruptAfterTimeLimit: 30_000 },
    );
  });
});
