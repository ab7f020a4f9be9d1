import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { callCapability, createFakeInstance } from '../../../support/fake-instance.ts';
import { createJobFixture, type JobFixture, type Node } from '../../../support/job-fixture.ts';
import { until } from '../../../support/until.ts';

describe('events, beside requests that wait for their answer', () => {
  const concurrency = 4;
  const events = 12;
  let fixture: JobFixture;
  let node: Node;
  let waiting = 0;
  before(async () => {
    fixture = await createJobFixture(['sender', 'receiver'], { eventConcurrency: concurrency });
    node = await fixture.startNode({ requestsWaiting: () => waiting });
  });
  after(() => fixture.stop());

  /** The most that ran at once. */
  async function handleAll(event: string): Promise<number> {
    const sender = createFakeInstance('sender');
    const receiver = createFakeInstance('receiver');
    let running = 0;
    let most = 0;
    let done = 0;
    const handler = receiver.add(async () => {
      running += 1;
      most = Math.max(most, running);
      await delay(50);
      running -= 1;
      done += 1;
    });
    await callCapability(node.events, receiver, { method: 'on', args: { event, handler } });
    const publish = (n: number) =>
      callCapability(node.events, sender, { method: 'publish', args: { event, data: { n } } });
    await Promise.all(Array.from({ length: events }, (_, n) => publish(n)));
    await until('all are handled', () => done === events);
    receiver.die();
    return most;
  }

  it('are handled as many at once as may be while nobody waits', async () => {
    assert.equal(await handleAll('test.quiet'), concurrency);
  });

  it('leave a place to each request, and are handled one by one however many there are', async () => {
    waiting = 2;
    assert.ok((await handleAll('test.busy')) <= concurrency - waiting);
    waiting = 100;
    assert.equal(await handleAll('test.flooded'), 1);
  });
});
