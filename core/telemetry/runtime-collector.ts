import { readdir, readFile } from 'node:fs/promises';
import { constants, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Metrics } from './metrics.ts';

export interface RuntimeCollectorOptions {
  /** How often a timer looks how late it is. @default 20 */
  readonly delayIntervalMs?: number;
}

/** Measures the event loop, garbage collection, memory and CPU of this process; returns the function that ends this. */
export function startRuntimeCollector(metrics: Metrics, options: RuntimeCollectorOptions = {}): () => void {
  const stops = [
    observeLoopDelay(metrics, options.delayIntervalMs ?? 20),
    observeCollections(metrics),
    metrics.onCollect(() => {
      collectLoop(metrics);
      collectHeap(metrics);
      collectProcess(metrics);
    }),
    metrics.onCollect(() => collectDescriptors(metrics)),
  ];
  metrics.gauge('process_start_time_seconds').set({}, performance.timeOrigin / 1000);
  return () => {
    for (const stop of stops) stop();
  };
}

/** Totals since the loop began: whoever scrapes, and however often, sees the same utilisation. */
function collectLoop(metrics: Metrics): void {
  const { active, idle } = performance.eventLoopUtilization();
  const time = metrics.counter('nodejs_eventloop_time_seconds_total');
  time.advanceTo({ nodejs_eventloop_state: 'active' }, active / 1000);
  time.advanceTo({ nodejs_eventloop_state: 'idle' }, idle / 1000);
}

/**
 * Not monitorEventLoopDelay(): its percentiles are of the time since the last reset, so two scrapers would each see a part.
 * A histogram of our own is cumulative.
 */
function observeLoopDelay(metrics: Metrics, intervalMs: number): () => void {
  const delay = metrics.histogram('nodejs_eventloop_delay_seconds');
  let dueAt = performance.now() + intervalMs;
  const timer = setTimeout(() => {
    const now = performance.now();
    delay.observe({}, Math.max(0, now - dueAt) / 1000);
    dueAt = now + intervalMs;
    timer.refresh();
  }, intervalMs);
  timer.unref();
  return () => clearTimeout(timer);
}

const collectionKinds: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

/** One callback can bring many collections (hundreds after a busy loop), so every entry is read. */
function observeCollections(metrics: Metrics): () => void {
  const duration = metrics.histogram('nodejs_gc_duration_seconds');
  const afterMajor = metrics.gauge('nodejs_heap_size_after_gc_bytes');
  const read = (entries: readonly PerformanceEntry[]): void => {
    for (const entry of entries) {
      const { kind } = (entry as PerformanceEntry & { readonly detail: { readonly kind: number } }).detail;
      duration.observe({ kind: collectionKinds[kind] ?? 'other' }, entry.duration / 1000);
      if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) afterMajor.set({}, getHeapStatistics().used_heap_size);
    }
  };
  const observer = new PerformanceObserver((list) => read(list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  const stopCollecting = metrics.onCollect(() => read(observer.takeRecords()));
  return () => {
    stopCollecting();
    observer.disconnect();
  };
}

function collectHeap(metrics: Metrics): void {
  const heap = getHeapStatistics();
  metrics.gauge('nodejs_heap_size_used_bytes').set({}, heap.used_heap_size);
  metrics.gauge('nodejs_heap_size_total_bytes').set({}, heap.total_heap_size);
  metrics.gauge('nodejs_heap_size_limit_bytes').set({}, heap.heap_size_limit);
  metrics.gauge('nodejs_external_memory_bytes').set({}, heap.external_memory);
}

function collectProcess(metrics: Metrics): void {
  const { user, system } = process.cpuUsage();
  metrics.counter('process_cpu_user_seconds_total').advanceTo({}, user / 1e6);
  metrics.counter('process_cpu_system_seconds_total').advanceTo({}, system / 1e6);
  metrics.counter('process_cpu_seconds_total').advanceTo({}, (user + system) / 1e6);
  metrics.gauge('process_resident_memory_bytes').set({}, process.memoryUsage.rss());
}

/** Linux only: elsewhere the gauges stay away. */
async function collectDescriptors(metrics: Metrics): Promise<void> {
  if (process.platform !== 'linux') return;
  const [open, limits] = await Promise.all([readdir('/proc/self/fd'), readFile('/proc/self/limits', 'utf8')]);
  metrics.gauge('process_open_fds').set({}, open.length);
  const max = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  if (max !== undefined) metrics.gauge('process_max_fds').set({}, Number(max));
}
