import { thresholds as t } from '#core/config/thresholds.ts';
import type { Alert } from './alert.ts';
import { counterCases, gaugeCases } from './cases.ts';

const on = 'job="returnit",instance="a"';
const labels = { job: 'returnit', instance: 'a' };
const cpu = (faulty: (minutes: number) => string) => ({
  [`returnit_container_cpu_usage_seconds_total{${on}}`]: faulty(60),
  [`returnit_container_cpu_limit_cores{${on}}`]: '2x60',
});
const memory = (values: string) => ({
  [`returnit_container_memory_working_set_bytes{${on}}`]: values,
  [`returnit_container_memory_limit_bytes{${on}}`]: '1000x60',
  // Without a limit there is no share of it.
  [`returnit_container_memory_working_set_bytes{job="returnit",instance="b"}`]: '990x60',
  [`returnit_container_memory_limit_bytes{job="returnit",instance="b"}`]: '0x60',
});
const mebibytes = (values: string, total: string) => ({
  [`nodejs_heap_size_used_bytes{${on}}`]: values,
  [`nodejs_heap_size_total_bytes{${on}}`]: total,
  [`nodejs_heap_size_limit_bytes{${on}}`]: '400000000x60',
});

/** After a collection, of 400 MB. */
const kept = (values: string) => ({
  [`nodejs_heap_size_after_gc_bytes{${on}}`]: values,
  [`nodejs_heap_size_limit_bytes{${on}}`]: '400000000x120',
});

/** The machine, the container, and the core's process. */
export const node: readonly Alert[] = [
  {
    name: 'CpuHigh',
    expr: `instance:returnit_container_cpu:utilization_ratio1m > ${t.cpu.value}`,
    for: '2m',
    // What scales on it is not to be asked again before it has had its effect.
    keepFiringFor: '5m',
    severity: 'warning',
    type: 'cause',
    plugin: 'core',
    summary: 'The processors are nearly used up',
    description: '{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its processors.',
    cases: {
      step: '15s',
      fires: {
        samples: cpu(() => '0+27x40'),
        at: '5m',
        alerts: [{ labels, description: 'a uses 90% of its processors.' }],
      },
      // 80 %, and no more.
      quiet: { samples: cpu(() => '0+24x60'), at: '12m' },
      // Above it for a minute and a half.
      boundary: { samples: cpu(() => '0+15x8 135+27x6 303+6x50'), at: '5m' },
      resolves: { samples: cpu(() => '0+27x24 651+3x100'), firesAt: '9m', at: '13m' },
    },
  },
  {
    name: 'CpuThrottled',
    expr: `rate(returnit_container_cpu_throttled_seconds_total[5m]) > ${t.cpuThrottled.value}`,
    for: '5m',
    severity: 'info',
    type: 'cause',
    plugin: 'core',
    summary: 'The container is held back by its limit of processors',
    description: '{{ $labels.instance }} was held back for {{ $value | humanizePercentage }} of the time.',
    cases: counterCases({
      samples: (faulty) => ({ [`returnit_container_cpu_throttled_seconds_total{${on}}`]: faulty(60) }),
      fires: [{ labels, description: 'a was held back for 20% of the time.' }],
      high: 12,
      low: 1,
      limit: 6,
      window: 5,
      for: 5,
    }),
  },
  {
    name: 'MemoryHigh',
    expr: `instance:returnit_container_memory:utilization_ratio > ${t.memory.value}`,
    for: '2m',
    severity: 'warning',
    type: 'cause',
    plugin: 'core',
    summary: 'Memory is nearly used up',
    description: '{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its memory.',
    cases: gaugeCases({
      samples: memory,
      fires: [{ labels, description: 'a uses 90% of its memory.' }],
      high: 900,
      low: 500,
      limit: 850,
      for: 2,
    }),
  },
  {
    name: 'MemoryNearLimit',
    expr: `instance:returnit_container_memory:utilization_ratio > ${t.memoryCritical.value}`,
    for: '1m',
    severity: 'critical',
    type: 'cause',
    plugin: 'core',
    summary: 'The container is about to be killed for its memory',
    description: '{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its memory.',
    cases: gaugeCases({
      samples: memory,
      fires: [{ labels, description: 'a uses 96% of its memory.' }],
      high: 960,
      low: 900,
      limit: 950,
      for: 1,
    }),
  },
  {
    name: 'HeapRatioHigh',
    expr: `nodejs_heap_size_used_bytes / nodejs_heap_size_total_bytes > ${t.heap.value}
and nodejs_heap_size_used_bytes > ${t.heapBytes.value}
and nodejs_heap_size_used_bytes / nodejs_heap_size_limit_bytes > ${t.heapOfLimit.value}`,
    for: '5m',
    severity: 'warning',
    type: 'cause',
    plugin: 'core',
    summary: "The core's heap is nearly full, as far as it is committed",
    description: '{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its committed heap.',
    cases: gaugeCases({
      samples: (values) => ({
        ...mebibytes(values, '200000000x60'),
        // An idle process has a small heap that is nearly full.
        [`nodejs_heap_size_used_bytes{job="returnit",instance="b"}`]: '60000000x60',
        [`nodejs_heap_size_total_bytes{job="returnit",instance="b"}`]: '61000000x60',
        [`nodejs_heap_size_limit_bytes{job="returnit",instance="b"}`]: '200000000x60',
        // Of what it may have it is little.
        [`nodejs_heap_size_used_bytes{job="returnit",instance="c"}`]: '95000000x60',
        [`nodejs_heap_size_total_bytes{job="returnit",instance="c"}`]: '100000000x60',
        [`nodejs_heap_size_limit_bytes{job="returnit",instance="c"}`]: '400000000x60',
      }),
      fires: [{ labels, description: 'a uses 95% of its committed heap.' }],
      high: 190_000_000,
      low: 120_000_000,
      limit: 180_000_000,
      for: 5,
    }),
  },
  {
    name: 'HeapLeakSuspected',
    // A single jump is no leak: half an hour after it the heap does not grow.
    expr: `predict_linear(nodejs_heap_size_after_gc_bytes[1h], ${t.heapFull.value}) > nodejs_heap_size_limit_bytes
and nodejs_heap_size_after_gc_bytes / nodejs_heap_size_limit_bytes > ${t.heapKept.value}
and deriv(nodejs_heap_size_after_gc_bytes[30m]) > 0`,
    for: '30m',
    severity: 'warning',
    type: 'cause',
    plugin: 'core',
    summary: 'The core keeps more and more of its heap',
    description:
      'If it goes on like this, {{ $labels.instance }} keeps {{ $value | humanize1024 }}B of heap in four hours, more than it may have.',
    cases: {
      fires: {
        samples: kept('200000000+2000000x120'),
        at: '50m',
        alerts: [
          {
            labels,
            description: 'If it goes on like this, a keeps 743.9MiB of heap in four hours, more than it may have.',
          },
        ],
      },
      quiet: {
        samples: {
          ...kept('300000000 304000000 298000000 '.repeat(40).trim()),
          // A small heap that grows is one that has just started.
          [`nodejs_heap_size_after_gc_bytes{job="returnit",instance="b"}`]: '10000000+1500000x120',
          [`nodejs_heap_size_limit_bytes{job="returnit",instance="b"}`]: '400000000x120',
        },
        at: '110m',
      },
      // It jumped, once.
      boundary: { samples: kept('100000000x40 300000000x80'), at: '70m' },
      resolves: { samples: kept('200000000+2000000x60 50000000x60'), firesAt: '55m', at: '65m' },
    },
  },
  {
    name: 'HeapNearLimit',
    expr: `nodejs_heap_size_used_bytes / nodejs_heap_size_limit_bytes > ${t.heapCritical.value}`,
    for: '5m',
    severity: 'critical',
    type: 'cause',
    plugin: 'core',
    summary: 'The core is about to die of its heap',
    description: '{{ $labels.instance }} uses {{ $value | humanizePercentage }} of the largest heap that it may have.',
    cases: gaugeCases({
      samples: (values) => mebibytes(values, '380000000x60'),
      fires: [{ labels, description: 'a uses 90% of the largest heap that it may have.' }],
      high: 360_000_000,
      low: 200_000_000,
      limit: 340_000_000,
      for: 5,
    }),
  },
  {
    name: 'EventLoopSaturated',
    expr: `instance:nodejs_eventloop:utilization_ratio1m > ${t.eventLoop.value}`,
    for: '2m',
    severity: 'warning',
    type: 'cause',
    plugin: 'core',
    summary: "The core's event loop has no time left",
    description: 'The event loop of {{ $labels.instance }} is busy for {{ $value | humanizePercentage }} of the time.',
    cases: {
      step: '15s',
      fires: {
        samples: loop('0+14.25x40', '0+0.75x40'),
        at: '5m',
        alerts: [{ labels, description: 'The event loop of a is busy for 95% of the time.' }],
      },
      quiet: { samples: loop('0+3x40', '0+12x40'), at: '8m' },
      boundary: { samples: loop('0+13.5x40', '0+1.5x40'), at: '8m' },
      resolves: { samples: loop('0+14.25x20 288+3x40', '0+0.75x20 27+12x40'), firesAt: '5m', at: '7m' },
    },
  },
  {
    name: 'EventLoopDelayed',
    expr: `histogram_quantile(0.99, rate(nodejs_eventloop_delay_seconds_bucket[5m])) > ${t.eventLoopDelay.value}`,
    for: '5m',
    severity: 'warning',
    type: 'symptom',
    plugin: 'core',
    summary: 'The core is held up by work that does not pause',
    description: 'One in a hundred timers of {{ $labels.instance }} is {{ $value | humanizeDuration }} late or more.',
    cases: counterCases({
      samples: (faulty) => ({
        [`nodejs_eventloop_delay_seconds_bucket{${on},le="0.1"}`]: '0+1000x60',
        [`nodejs_eventloop_delay_seconds_bucket{${on},le="0.25"}`]: '0+1000x60',
        [`nodejs_eventloop_delay_seconds_bucket{${on},le="0.5"}`]: faulty(60),
        [`nodejs_eventloop_delay_seconds_bucket{${on},le="+Inf"}`]: faulty(60),
      }),
      fires: [{ labels, description: 'One in a hundred timers of a is 495ms late or more.' }],
      high: 2000,
      low: 1000,
      limit: 1010,
      window: 5,
      for: 5,
    }),
  },
];

function loop(active: string, idle: string) {
  return {
    [`nodejs_eventloop_time_seconds_total{${on},nodejs_eventloop_state="active"}`]: active,
    [`nodejs_eventloop_time_seconds_total{${on},nodejs_eventloop_state="idle"}`]: idle,
  };
}
