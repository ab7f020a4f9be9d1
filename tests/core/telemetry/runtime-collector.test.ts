import assert from 'node:assert/strict';
import { constants, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createMetrics, type Metrics } from '#core/telemetry/metrics.ts';
import { startRuntimeCollector } from '#core/telemetry/runtime-collector.ts';
import { until } from '../../support/until.ts';

async function scrape(metrics: Metrics): Promise<(series: string) => number> {
  const { body } = await metrics.render();
  return (series) => {
    const line = body.split('\n').find((candidate) => candidate.startsWith(`${series} `));
    assert.ok(line !== undefined, `${series} is missing`);
    return Number(line.slice(series.length + 1));
  };
}

/** Keeps the thread busy with garbage, without ever returning to the loop. */
function churn(rounds: number): number {
  let total = 0;
  for (let round = 0; round < rounds; round += 1)
    total += Array.from({ length: 1000 }, (_, index) => ({ index })).length;
  return total;
}

describe('startRuntimeCollector()', () => {
  it('reports loop, heap, process and descriptors', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    const stop = startRuntimeCollector(metrics);
    const value = await scrape(metrics);
    stop();
    assert.ok(value('nodejs_heap_size_used_bytes') <= value('nodejs_heap_size_total_bytes'));
    assert.ok(value('nodejs_heap_size_total_bytes') < value('nodejs_heap_size_limit_bytes'));
    assert.ok(value('process_cpu_seconds_total') > 0);
    assert.ok(value('process_resident_memory_bytes') > 1e7);
    assert.ok(value('process_open_fds') > 0 && value('process_open_fds') <= value('process_max_fds'));
    assert.ok(Math.abs(value('process_start_time_seconds') - (Date.now() / 1000 - process.uptime())) < 5);
  });

  it('shows two scrapers the same totals: the event loop time only rises', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    const stop = startRuntimeCollector(metrics);
    const active = 'nodejs_eventloop_time_seconds_total{nodejs_eventloop_state="active"}';
    const before = (await scrape(metrics))(active);
    const after = await until('the loop has been active', async () => {
      churn(200);
      await new Promise((resolve) => setImmediate(resolve));
      const value = (await scrape(metrics))(active);
      return value > before && value;
    });
    const again = (await scrape(metrics))(active);
    stop();
    assert.ok(again >= after);
  });

  it('counts every collection of a loop that allocates without pause', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    const stop = startRuntimeCollector(metrics);
    // One synchronous run ends in one callback of an observer: who reads its first entry alone counts 1.
    let seen = 0;
    const observer = new PerformanceObserver((list) => {
      const kinds = list.getEntries() as (PerformanceEntry & { readonly detail: { readonly kind: number } })[];
      seen += kinds.filter(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MINOR).length;
    });
    observer.observe({ entryTypes: ['gc'] });
    churn(20_000);
    const happened = await until('the collections are known', () => seen > 5 && seen);
    observer.disconnect();
    const counted = (await scrape(metrics))('nodejs_gc_duration_seconds_count{kind="minor"}');
    stop();
    assert.ok(counted >= happened, `${counted} of ${happened}`);
  });

  it('shows what is left of the heap after a major collection', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const metrics = createMetrics({ labelSetsMax: 10 });
    const stop = startRuntimeCollector(metrics);
    const kept = Array.from({ length: 2_000_000 }, (_, index) => [index]);
    collect();
    const read = (body: string): number => Number(/^nodejs_heap_size_after_gc_bytes (\d+)$/m.exec(body)?.[1] ?? 0);
    const full = await until('it is known', async () => read((await metrics.render()).body) || undefined);
    assert.ok(kept.length > 0 && full > 32_000_000, `${full} with what is kept`);
    kept.length = 0;
    collect();
    const empty = await until('it is less', async () => {
      const left = read((await metrics.render()).body);
      return left < full - 16_000_000 && left;
    });
    const value = await scrape(metrics);
    stop();
    assert.ok(empty > 0 && empty < value('nodejs_heap_size_limit_bytes'));
  });

  it('sees a blocked loop as delay', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    const stop = startRuntimeCollector(metrics, { delayIntervalMs: 5 });
    const until100 = performance.now() + 150;
    while (performance.now() < until100);
    const late = await until('the delay is measured', async () => {
      const value = await scrape(metrics);
      return (
        value('nodejs_eventloop_delay_seconds_count') - value('nodejs_eventloop_delay_seconds_bucket{le="0.1"}') > 0
      );
    });
    stop();
    assert.ok(late);
  });
});
