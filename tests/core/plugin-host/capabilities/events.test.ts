import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { DomainEvent } from '#plugin-api';
import { withSpan, type Tracing } from '#core/telemetry/tracing.ts';
import { callCapability, createFakeInstance, type FakeInstance } from '../../../support/fake-instance.ts';
import { createJobFixture, type JobFixture, type Node } from '../../../support/job-fixture.ts';
import { until } from '../../../support/until.ts';
import { startTestTracing } from '../../../support/test-tracing.ts';

type Input = { readonly event: DomainEvent<{ n: number }>; readonly tx: string };

describe('createEventsCapability()', () => {
  let fixture: JobFixture;
  let node: Node;
  let tracing: Tracing;
  const sender = createFakeInstance('sender');

  before(async () => {
    tracing = await startTestTracing();
    fixture = await createJobFixture(['sender', 'receiver', 'third']);
    node = await fixture.startNode();
    await fixture.database.admin.query('create table receiver.handled (event text, n integer)');
    await fixture.database.admin.query('grant all on receiver.handled to returnit_receiver');
  });
  after(async () => {
    await fixture.stop();
    await tracing.stop();
  });

  const on = async (instance: FakeInstance, event: string, run: (input: Input) => unknown) => {
    const handler = instance.add(run);
    await callCapability(node.events, instance, { method: 'on', args: { event, handler } });
  };
  const publish = (event: string, n: number, tx?: string) =>
    callCapability(node.events, sender, { method: 'publish', args: { event, data: { n }, ...(tx ? { tx } : {}) } });
  const store = (instance: FakeInstance) => (input: Input) =>
    fixture.transactions.use(instance, input.tx, (client) =>
      client.query('insert into receiver.handled (event, n) values ($1, $2)', [input.event.name, input.event.data.n]),
    );
  const handled = async (event: string) => {
    const { rows } = await fixture.database.admin.query<{ n: number }>(
      'select n from receiver.handled where event = $1 order by n',
      [event],
    );
    return rows.map((row) => row.n);
  };

  it('delivers to who asks for a member only what has it, as the newest subscription says', async () => {
    const receiver = createFakeInstance('receiver');
    const seen: number[] = [];
    const handler = receiver.add(({ event }: Input) => void seen.push(event.data.n));
    const subscribe = (having?: string) =>
      callCapability(node.events, receiver, {
        method: 'on',
        args: { event: 'partner.told', handler, ...(having === undefined ? {} : { having }) },
      });
    const tell = (data: object) =>
      callCapability(node.events, sender, { method: 'publish', args: { event: 'partner.told', data } });
    await subscribe('partnerId');
    for (const data of [{ n: 1 }, { n: 2, partnerId: null }, { n: 3, partnerId: 'p' }, { n: 4, partnerId: 0 }]) {
      await tell(data);
    }
    await until('those with a partner are delivered', () => seen.length === 2);
    await subscribe();
    await tell({ n: 5 });
    await until('all are delivered', () => seen.length === 3);
    assert.deepEqual(new Set(seen), new Set([3, 4, 5]));
    receiver.die();
  });

  it('asks for the permission to publish and to subscribe, verb by verb', () => {
    const { publish: publishing, on: subscribing } = node.events.methods;
    assert.deepEqual(publishing?.access({ event: 'order.created' } as never, sender.plugin), [
      { permission: 'events', resource: 'publish order.created' },
    ]);
    assert.deepEqual(subscribing?.access({ event: 'order.created' } as never, sender.plugin), [
      { permission: 'events', resource: 'subscribe order.created' },
    ]);
  });

  it('delivers an event to each subscriber, with who published it and when', async () => {
    const receiver = createFakeInstance('receiver');
    const other = createFakeInstance('third');
    const got: DomainEvent<{ n: number }>[] = [];
    await on(receiver, 'test.fanned', ({ event }) => got.push(event));
    await on(other, 'test.fanned', ({ event }) => got.push(event));
    await publish('test.fanned', 1);
    await until('both have it', () => got.length === 2);
    assert.equal(got[0]?.id, got[1]?.id);
    assert.equal(got[0]?.publishedBy, 'sender');
    assert.ok(Math.abs(Date.now() - Date.parse(got[0]?.publishedAt ?? '')) < 60_000);
    assert.deepEqual(got[0]?.data, { n: 1 });
    receiver.die();
    other.die();
  });

  it('does nothing when the same event is delivered again', async () => {
    const receiver = createFakeInstance('receiver');
    await on(receiver, 'test.repeated', store(receiver));
    await publish('test.repeated', 1);
    await until('it is handled', async () => (await handled('test.repeated')).length === 1);
    const queue = 'event.receiver.test.repeated';
    await fixture.database.admin.query(
      `insert into pgboss.job (name, data, policy, singleton_key)
       select name, data, policy, 'again' from pgboss.job where name = $1`,
      [queue],
    );
    const ended = async () => {
      const { rows } = await fixture.database.admin.query<{ n: number }>(
        `select count(*)::int as n from pgboss.job where name = $1 and state = 'completed'`,
        [queue],
      );
      return rows[0]?.n === 2;
    };
    await until('the second delivery is settled', ended);
    assert.deepEqual(await handled('test.repeated'), [1]);
    const { body } = await fixture.telemetry.metrics.render();
    assert.match(
      body,
      /returnit_events_delivered_total\{plugin="receiver",event="test.repeated",outcome="duplicate"\} 1/,
    );
    assert.match(body, /returnit_inbox_duplicates_total\{plugin="receiver"\} 1/);
    const lines = await until('both deliveries are logged', () => {
      const found = fixture.telemetry.lines.filter((line) => line['queue'] === queue && 'jobId' in line);
      return found.length === 2 && found;
    });
    assert.deepEqual(
      lines.map(({ msg, event, delivery, outcome }) => [msg, event, delivery, outcome]),
      [
        ['Job done', 'test.repeated', 'handled', 'completed'],
        ['Job done', 'test.repeated', 'duplicate', 'completed'],
      ],
    );
    assert.equal(lines[0]?.['eventId'], lines[1]?.['eventId']);
    assert.match(String(lines[0]?.['eventId']), /^[0-9a-f-]{36}$/);
    receiver.die();
  });

  it('rolls back what a failing handler wrote and delivers again', async () => {
    const receiver = createFakeInstance('receiver');
    let calls = 0;
    await on(receiver, 'test.failing', async (input) => {
      calls += 1;
      await store(receiver)(input);
      if (calls === 1) throw new Error('Cannot handle it: first time');
    });
    await publish('test.failing', 1);
    await until('it is handled', async () => (await handled('test.failing')).length === 1);
    assert.equal(calls, 2);
    receiver.die();
  });

  it('brings an event again whose process went away while it handled it', async () => {
    const begun = Promise.withResolvers<void>();
    const first = createFakeInstance('receiver');
    await on(first, 'test.killed', async (input) => {
      await store(first)(input);
      begun.resolve();
      return new Promise(() => undefined);
    });
    await publish('test.killed', 1);
    await begun.promise;
    first.die();
    const second = createFakeInstance('receiver');
    await on(second, 'test.killed', store(second));
    await until('the next process handles it', async () => (await handled('test.killed')).length === 1);
    assert.deepEqual(await handled('test.killed'), [1]);
    second.die();
  });

  it('keeps events for a subscriber that is down', async () => {
    const first = createFakeInstance('receiver');
    await on(first, 'test.waiting', store(first));
    first.die();
    await publish('test.waiting', 1);
    const second = createFakeInstance('receiver');
    await on(second, 'test.waiting', store(second));
    await until('it is handled', async () => (await handled('test.waiting')).length === 1);
    second.die();
  });

  it('ends a subscription that the plugin did not make again when it was ready', async () => {
    const first = createFakeInstance('third');
    await on(first, 'test.kept', () => undefined);
    await on(first, 'test.dropped', () => undefined);
    await node.events.settle(first);
    first.die();
    const second = createFakeInstance('third');
    await on(second, 'test.kept', () => undefined);
    await node.events.settle(second);
    const { rows } = await fixture.database.admin.query(
      `select event from returnit.event_subscription where plugin = 'third' order by event`,
    );
    assert.deepEqual(rows, [{ event: 'test.kept' }]);
    second.die();
  });

  it('handles no more events of one process at once than EVENT_CONCURRENCY', async () => {
    const receiver = createFakeInstance('receiver');
    let running = 0;
    let most = 0;
    let ended = 0;
    const slow = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      ended += 1;
    };
    await on(receiver, 'test.busy-a', slow);
    await on(receiver, 'test.busy-b', slow);
    for (let n = 0; n < 10; n += 1) await Promise.all([publish('test.busy-a', n), publish('test.busy-b', n)]);
    await until('all are handled', () => ended === 20);
    assert.ok(most <= fixture.config.eventConcurrency, `${most} ran at once`);
    receiver.die();
  });

  it('continues the trace of the publisher in the handler, and in what the handler publishes', async () => {
    const receiver = createFakeInstance('receiver');
    const other = createFakeInstance('third');
    const done = Promise.withResolvers<void>();
    await on(receiver, 'test.first', async ({ tx }) => {
      await callCapability(node.events, receiver, {
        method: 'publish',
        args: { event: 'test.second', data: { n: 2 }, tx },
      });
    });
    await on(other, 'test.second', () => done.resolve());
    const traceId = await withSpan('POST /orders', { kind: 'server' }, async (span) => {
      const tx = await fixture.transactions.begin(sender);
      await publish('test.first', 1, tx);
      await fixture.transactions.commit(sender, tx);
      return span.spanContext().traceId;
    });
    await done.promise;
    const names = await until('the spans have ended', () => {
      const spans = tracing.recentSpans(traceId).map((span) => span.name);
      return spans.includes('process event.third.test.second') && spans;
    });
    assert.deepEqual(names, ['POST /orders', 'process event.receiver.test.first', 'process event.third.test.second']);
    const [http, first, second] = tracing.recentSpans(traceId);
    assert.equal(first?.parentSpanId, http?.spanId);
    assert.equal(second?.parentSpanId, first?.spanId);
    receiver.die();
    other.die();
  });
});
