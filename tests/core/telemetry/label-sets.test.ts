import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMetrics } from '#core/telemetry/metrics.ts';
import { createTestMetrics, valueOf } from './metrics-fixture.ts';

describe('the cap of label sets', () => {
  it('counts what is over it as `other` and says of which metric', async () => {
    const metrics = createTestMetrics(3);
    const closed = metrics.counter('returnit_ends_total');
    for (const reason of ['a', 'b', 'c', 'd', 'e', 'a']) closed.inc({ reason });
    assert.equal(await valueOf(metrics, 'returnit_ends_total{reason="a"}'), 2);
    assert.equal(await valueOf(metrics, 'returnit_ends_total{reason="d"}'), undefined);
    assert.equal(await valueOf(metrics, 'returnit_ends_total{reason="other"}'), 2);
    const dropped = 'returnit_metric_labelsets_dropped_total{metric="returnit_ends_total"}';
    assert.equal(await valueOf(metrics, dropped), 2);
  });

  it('leaves the other plugins their half and keeps the name of the one that is over', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    const jobs = metrics.counter('returnit_jobs_total');
    for (let index = 0; index < 100; index += 1)
      jobs.inc({ plugin: 'greedy', queue: `q${index}`, outcome: 'completed' });
    jobs.inc({ plugin: 'modest', queue: 'q', outcome: 'completed' });
    assert.equal(await valueOf(metrics, 'returnit_jobs_total{plugin="greedy",queue="other",outcome="other"}'), 95);
    assert.equal(await valueOf(metrics, 'returnit_jobs_total{plugin="modest",queue="q",outcome="completed"}'), 1);
  });

  it('holds for what is recorded by labels that were given before, also when there is room later', async () => {
    const metrics = createTestMetrics(2);
    const ends = metrics.counter('returnit_ends_total');
    const [a, b] = [ends.with({ reason: 'a' }), ends.with({ reason: 'b' })];
    ends.inc({ reason: 'c' });
    assert.equal(await valueOf(metrics, 'returnit_ends_total{reason="a"}'), undefined);
    a.inc();
    a.inc(2);
    b.inc();
    b.inc();
    assert.equal(await valueOf(metrics, 'returnit_ends_total{reason="a"}'), 3);
    assert.equal(await valueOf(metrics, 'returnit_ends_total{reason="other"}'), 2);
    const dropped = 'returnit_metric_labelsets_dropped_total{metric="returnit_ends_total"}';
    assert.equal(await valueOf(metrics, dropped), 2);
    ends.remove({ reason: 'a' });
    b.inc();
    assert.equal(await valueOf(metrics, 'returnit_ends_total{reason="b"}'), 1);
    a.inc();
    assert.equal(await valueOf(metrics, 'returnit_ends_total{reason="a"}'), undefined);
    assert.equal(await valueOf(metrics, 'returnit_ends_total{reason="other"}'), 3);
  });

  it('has room for as many of a plugin as before, once one of those is removed', async () => {
    const metrics = createMetrics({ labelSetsMax: 4 });
    const sent = metrics.counter('returnit_jobs_total');
    const add = (queue: string): void => sent.inc({ plugin: 'orders', queue, outcome: 'completed' });
    for (const queue of ['a', 'b', 'c']) add(queue);
    sent.remove({ plugin: 'orders', queue: 'a', outcome: 'completed' });
    for (const queue of ['d', 'e']) add(queue);
    const series = (queue: string): string =>
      `returnit_jobs_total{plugin="orders",queue="${queue}",outcome="completed"}`;
    assert.equal(await valueOf(metrics, series('d')), 1);
    assert.equal(await valueOf(metrics, series('e')), undefined);
    assert.equal(await valueOf(metrics, 'returnit_jobs_total{plugin="orders",queue="other",outcome="other"}'), 2);
  });

  it('does not keep values of any length', async () => {
    const metrics = createTestMetrics(10);
    metrics.counter('returnit_ends_total').inc({ reason: 'x'.repeat(1e6) });
    const { body } = await metrics.render();
    assert.ok(body.length < 200_000);
  });

  it('gives a removed label set its place back', async () => {
    const metrics = createTestMetrics(1);
    const watchers = metrics.gauge('returnit_seats');
    watchers.set({ plugin: 'a' }, 1);
    watchers.remove({ plugin: 'a' });
    watchers.set({ plugin: 'b' }, 1);
    assert.equal(await valueOf(metrics, 'returnit_seats{plugin="b"}'), 1);
  });
});
