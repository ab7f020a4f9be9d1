import { thresholds as t } from '#core/config/thresholds.ts';
import type { DashboardDefinition } from './panel.ts';
import { nodes, quantile, rate } from './promql.ts';

/** Utilisation, saturation and errors of each node. */
export const node: DashboardDefinition = {
  uid: 'returnit-node',
  title: 'ReturnIt / Node and container',
  description: 'What each node uses of what it may: processors, memory, heap, event loop, and what watches it.',
  rows: [
    {
      title: 'Processors',
      panels: [
        {
          id: 1,
          title: 'Processors, of the limit',
          question:
            'How much of its processors does a node use? One thread alone reads 1 / cores: look at the event loop too.',
          unit: 'percentunit',
          queries: [{ expr: `instance:returnit_container_cpu:utilization_ratio1m{${nodes}}`, legend: '{{instance}}' }],
          limits: { warning: t.cpu.value },
          min: 0,
          alerts: ['CpuHigh'],
        },
        {
          id: 2,
          title: 'Three ways to count processors',
          question: 'Cores used by the container, by the core’s process, and by its plugins: which of them is busy?',
          unit: 'short',
          queries: [
            { expr: rate('returnit_container_cpu_usage_seconds_total', 'instance'), legend: '{{instance}} container' },
            { expr: rate('process_cpu_seconds_total', 'instance'), legend: '{{instance}} core' },
            { expr: rate('returnit_plugin_cpu_seconds_total', 'instance'), legend: '{{instance}} plugins' },
          ],
          min: 0,
        },
        {
          id: 3,
          title: 'Held back by the quota',
          question: 'Is the container stopped for using more than its quota?',
          unit: 'percentunit',
          queries: [
            {
              expr: `rate(returnit_container_cpu_throttled_seconds_total{${nodes}}[$__rate_interval])`,
              legend: '{{instance}}',
            },
          ],
          limits: { warning: t.cpuThrottled.value },
          min: 0,
          alerts: ['CpuThrottled'],
        },
        {
          id: 4,
          title: 'Event loop busy',
          question: 'How much of the time is the event loop busy? Beyond the line everything waits.',
          unit: 'percentunit',
          queries: [{ expr: `instance:nodejs_eventloop:utilization_ratio1m{${nodes}}`, legend: '{{instance}}' }],
          limits: { warning: t.eventLoop.value },
          min: 0,
          alerts: ['EventLoopSaturated'],
        },
        {
          id: 5,
          title: 'Event loop late, p99',
          question: 'How late are timers?',
          unit: 's',
          queries: [
            { expr: quantile(0.99, 'nodejs_eventloop_delay_seconds', { by: 'instance' }), legend: '{{instance}}' },
          ],
          limits: { warning: t.eventLoopDelay.value },
          min: 0,
          alerts: ['EventLoopDelayed'],
        },
        {
          id: 6,
          title: 'Collecting garbage',
          question: 'What share of the time goes to garbage collection, by kind?',
          unit: 'percentunit',
          queries: [{ expr: rate('nodejs_gc_duration_seconds_sum', 'kind'), legend: '{{kind}}' }],
          min: 0,
        },
      ],
    },
    {
      title: 'Memory',
      panels: [
        {
          id: 7,
          title: 'Memory, of the limit',
          question: 'How near is a node to being killed for lack of memory?',
          unit: 'percentunit',
          queries: [{ expr: `instance:returnit_container_memory:utilization_ratio{${nodes}}`, legend: '{{instance}}' }],
          limits: { warning: t.memory.value, critical: t.memoryCritical.value },
          min: 0,
          alerts: ['MemoryHigh', 'MemoryNearLimit'],
        },
        {
          id: 8,
          title: 'Heap, of the largest',
          question: 'How full is the heap? What is left after a collection shows a leak.',
          unit: 'percentunit',
          queries: [
            {
              expr: `nodejs_heap_size_used_bytes{${nodes}} / nodejs_heap_size_limit_bytes{${nodes}}`,
              legend: '{{instance}} used',
            },
            {
              expr: `nodejs_heap_size_after_gc_bytes{${nodes}} / nodejs_heap_size_limit_bytes{${nodes}}`,
              legend: '{{instance}} after a collection',
            },
          ],
          limits: { critical: t.heapCritical.value },
          min: 0,
          alerts: ['HeapNearLimit', 'HeapLeakSuspected'],
        },
        {
          id: 9,
          title: 'Heap, of what is committed',
          question:
            'The guide’s ratio. By itself it says little: V8 commits as it goes; it counts only with the other one.',
          unit: 'percentunit',
          queries: [
            {
              expr: `nodejs_heap_size_used_bytes{${nodes}} / nodejs_heap_size_total_bytes{${nodes}}`,
              legend: '{{instance}}',
            },
          ],
          limits: { warning: t.heap.value },
          min: 0,
          alerts: ['HeapRatioHigh'],
        },
        {
          id: 10,
          title: 'Memory by use',
          question: 'What takes the memory of the core?',
          unit: 'bytes',
          queries: [
            { expr: `sum(process_resident_memory_bytes{${nodes}})`, legend: 'resident' },
            { expr: `sum(nodejs_heap_size_used_bytes{${nodes}})`, legend: 'heap' },
            { expr: `sum(nodejs_external_memory_bytes{${nodes}})`, legend: 'outside the heap' },
            { expr: `sum(returnit_container_memory_working_set_bytes{${nodes}})`, legend: 'container' },
          ],
          min: 0,
        },
        {
          id: 11,
          title: 'Open files',
          question: 'How many file descriptors are open, of how many that may be?',
          unit: 'percentunit',
          queries: [{ expr: `process_open_fds{${nodes}} / process_max_fds{${nodes}}`, legend: '{{instance}}' }],
          min: 0,
        },
        {
          id: 17,
          title: 'Disk, free',
          question:
            'How much of the volume of the data folder is free? Below the lines ops are told if it goes on falling.',
          unit: 'percentunit',
          queries: [
            {
              expr: `returnit_storage_free_bytes{${nodes}} / (returnit_storage_free_bytes{${nodes}} + returnit_storage_used_bytes{${nodes}})`,
              legend: '{{instance}}',
            },
          ],
          limits: { warning: t.diskFilling.value, critical: t.diskFillingCritical.value, below: true },
          min: 0,
          alerts: ['StorageFilling', 'StorageFullSoon'],
        },
        {
          id: 12,
          title: 'Up since',
          question: 'When did each node start?',
          unit: 'dateTimeFromNow',
          kind: 'table',
          queries: [{ expr: `1000 * process_start_time_seconds{${nodes}}`, legend: '{{instance}}' }],
        },
      ],
    },
    {
      title: 'What watches it',
      panels: [
        {
          id: 13,
          title: 'Lines of the log',
          question: 'What does the platform have to say? Errors want to be read.',
          unit: 'cps',
          queries: [
            { expr: rate('returnit_log_messages_total', 'level'), legend: '{{level}}' },
            { expr: `sum(rate(returnit_log_messages_dropped_total{${nodes}}[$__rate_interval]))`, legend: 'lost' },
          ],
          min: 0,
        },
        {
          id: 16,
          title: 'Levels of the log',
          question:
            'Is the level of some plugin or component set apart at the moment? The row of neither is of all other lines. 10 trace, 20 debug, 30 info, 40 warn, 50 error.',
          unit: 'none',
          kind: 'table',
          queries: [
            {
              expr: `min by (plugin, component) (returnit_log_level{${nodes}})`,
              legend: '{{plugin}}{{component}}',
            },
          ],
        },
        {
          id: 14,
          title: 'Spans by fate',
          question: 'Are traces kept and exported? Dropped: the receiver does not take them.',
          unit: 'ops',
          queries: [{ expr: rate('returnit_traces_spans_total', 'outcome'), legend: '{{outcome}}' }],
          min: 0,
        },
        {
          id: 15,
          title: 'Metrics',
          question: 'Does a scrape take long, is something not read, or put together since there is too much of it?',
          unit: 'short',
          queries: [
            { expr: quantile(0.95, 'returnit_metrics_scrape_duration_seconds'), legend: 'scrape, seconds, p95' },
            {
              expr: `sum(increase(returnit_metrics_collect_errors_total{${nodes}}[15m]))`,
              legend: 'not read in 15 min',
            },
            {
              expr: `sum(increase(returnit_metric_labelsets_dropped_total{${nodes}}[15m]))`,
              legend: 'put together in 15 min',
            },
          ],
          min: 0,
          alerts: ['LabelSetsDropped', 'CollectorsFailing'],
        },
      ],
    },
  ],
};
