/** How many series there can be at most, whatever is recorded. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMetrics, type Metrics } from '#core/telemetry/metrics.ts';
import { definition } from './metrics-fixture.ts';

async function linesOf(metrics: Metrics): Promise<readonly string[]> {
  return (await metrics.render()).body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function sumOf(lines: readonly string[], prefix: string): number {
  return lines
    .filter((line) => line.startsWith(prefix))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

describe('the series of a process', () => {
  it('are never more than they may be, whatever is recorded, and no recording is lost', async () => {
    const seriesMax = 2500;
    const metrics = createMetrics({ labelSetsMax: 1000, seriesMax });
    const durations = metrics.histogram('http_server_request_duration_seconds');
    const jobs = metrics.counter('returnit_jobs_total');
    for (let index = 0; index < 900; index += 1) {
      const plugin = `p${index % 10}`;
      durations.observe({ http_route: `/r${index}`, plugin }, 0.2);
      jobs.inc({ plugin, queue: `q${index}`, outcome: 'completed' });
    }
    const lines = await linesOf(metrics);
    assert.ok(lines.length > seriesMax - 500 && lines.length <= seriesMax, `${lines.length} series`);
    assert.equal(sumOf(lines, 'http_server_request_duration_seconds_count{'), 900);
    assert.equal(sumOf(lines, 'returnit_jobs_total{'), 900);
    const dropped = (name: string): number => sumOf(lines, `returnit_metric_labelsets_dropped_total{metric="${name}"}`);
    assert.ok(dropped('http_server_request_duration_seconds') > 0 && dropped('returnit_jobs_total') > 0);
  });

  it('are for the core and the other plugins, too, when one declares metrics without bounds', async () => {
    const metrics = createMetrics({ labelSetsMax: 1000, seriesMax: 4000 });
    for (const owner of ['greedy', 'modest'])
      for (let index = 0; index < 5; index += 1)
        metrics.define(definition({ name: `returnit_${owner}${index}_total`, labels: ['place', 'plugin'], owner }));
    for (let index = 0; index < 5; index += 1)
      for (let place = 0; place < 900; place += 1)
        metrics.counter(`returnit_greedy${index}_total`).inc({ plugin: 'greedy', place: String(place) });
    metrics.counter('returnit_modest0_total').inc({ plugin: 'modest', place: 'here' });
    metrics.counter('returnit_jobs_total').inc({ plugin: 'orders', queue: 'q', outcome: 'completed' });
    const lines = await linesOf(metrics);
    assert.ok(lines.includes('returnit_modest0_total{place="here",plugin="modest"} 1'));
    assert.ok(lines.includes('returnit_jobs_total{plugin="orders",queue="q",outcome="completed"} 1'));
    assert.ok(lines.filter((line) => line.startsWith('returnit_greedy')).length <= 505);
  });

  it('give a removed label set its room back', async () => {
    const metrics = createMetrics({ labelSetsMax: 100_000, seriesMax: 4000 });
    metrics.define(definition({ name: 'returnit_seats', type: 'gauge' }));
    const seats = metrics.gauge('returnit_seats');
    for (let index = 0; index < 5000; index += 1) {
      seats.set({ plugin: `p${index}` }, 1);
      seats.remove({ plugin: `p${index}` });
    }
    seats.set({ plugin: 'last' }, 1);
    assert.ok((await linesOf(metrics)).includes('returnit_seats{plugin="last"} 1'));
  });

  it('tell of every metric that drops, with whatever limit', async () => {
    const metrics = createMetrics({ labelSetsMax: 1 });
    for (const name of ['returnit_jobs_total', 'returnit_jobs_sent_total'])
      for (const queue of ['a', 'b', 'c']) metrics.counter(name).inc({ plugin: 'orders', queue });
    const lines = await linesOf(metrics);
    const dropped = (name: string): number => sumOf(lines, `returnit_metric_labelsets_dropped_total{metric="${name}"}`);
    assert.equal(dropped('returnit_jobs_total'), 2);
    assert.equal(dropped('returnit_jobs_sent_total'), 2);
    assert.ok(lines.includes('returnit_metric_labelsets_dropped_total{metric="returnit_events_published_total"} 0'));
  });
});
