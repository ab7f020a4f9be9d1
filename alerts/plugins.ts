import { thresholds as t } from '#core/config/thresholds.ts';
import type { Alert } from './alert.ts';
import { counterCases, gaugeCases } from './cases.ts';

const on = 'job="returnit",instance="a",plugin="drivers"';
const labels = { job: 'returnit', instance: 'a', plugin: 'drivers', service: 'drivers' };

export const plugins: readonly Alert[] = [
  {
    name: 'PluginCrashLoop',
    expr: `sum without (reason) (increase(returnit_plugin_restarts_total[10m])) >= ${t.pluginDeaths.value}`,
    for: '0m',
    severity: 'critical',
    type: 'symptom',
    plugin: '{{ $labels.plugin }}',
    summary: 'A plugin dies again and again',
    description: '{{ $labels.plugin }} on {{ $labels.instance }} died {{ $value | humanize }} times in 10 minutes.',
    cases: counterCases({
      samples: (faulty) => ({
        [`returnit_plugin_restarts_total{${on},reason="crash"}`]: faulty(60),
        [`returnit_plugin_restarts_total{${on},reason="oom-fatal"}`]: faulty(60),
      }),
      fires: [{ labels, description: 'drivers on a died 10 times in 10 minutes.' }],
      high: 0.5,
      low: 0,
      limit: 0.1,
      window: 10,
      for: 0,
    }),
  },
  {
    name: 'PluginQuarantined',
    expr: 'returnit_plugin_quarantined > 0',
    for: '0m',
    severity: 'critical',
    type: 'symptom',
    plugin: '{{ $labels.plugin }}',
    summary: 'A plugin is not started any more, since it kept failing',
    description:
      '{{ $labels.plugin }} is quarantined on {{ $labels.instance }} (returnit_plugin_quarantined is {{ $value }}).',
    cases: gaugeCases({
      samples: (values) => ({ [`returnit_plugin_quarantined{${on}}`]: values }),
      fires: [{ labels, description: 'drivers is quarantined on a (returnit_plugin_quarantined is 1).' }],
      high: 1,
      low: 0,
      limit: 0,
      for: 0,
    }),
  },
  {
    name: 'PluginDenied',
    expr: 'sum by (job, plugin, capability) (increase(returnit_plugin_capability_calls_total{outcome="denied"}[5m])) > 0',
    for: '0m',
    severity: 'info',
    type: 'cause',
    plugin: '{{ $labels.plugin }}',
    summary: 'A plugin asks for what it has no permission for',
    description:
      '{{ $labels.plugin }} was refused {{ $labels.capability }} {{ $value | humanize }} times in 5 minutes.',
    cases: counterCases({
      samples: (faulty) => ({
        [`returnit_plugin_capability_calls_total{${on},capability="net.fetch",outcome="denied"}`]: faulty(60),
        [`returnit_plugin_capability_calls_total{${on},capability="net.fetch",outcome="ok"}`]: '0+50x60',
      }),
      fires: [
        {
          labels: { job: 'returnit', plugin: 'drivers', capability: 'net.fetch', service: 'drivers' },
          description: 'drivers was refused net.fetch 10 times in 5 minutes.',
        },
      ],
      high: 2,
      low: 0,
      limit: 0,
      window: 5,
      for: 0,
    }),
  },
  {
    name: 'PluginHeapNearLimit',
    expr: `returnit_plugin_heap_used_bytes / (returnit_plugin_heap_limit_bytes > 0) > ${t.heapCritical.value}`,
    for: '5m',
    severity: 'warning',
    type: 'cause',
    plugin: '{{ $labels.plugin }}',
    summary: 'A plugin is about to be ended for its heap',
    description: '{{ $labels.plugin }} on {{ $labels.instance }} uses {{ $value | humanizePercentage }} of its heap.',
    cases: gaugeCases({
      samples: (values) => ({
        [`returnit_plugin_heap_used_bytes{${on}}`]: values,
        [`returnit_plugin_heap_limit_bytes{${on}}`]: '1000x60',
      }),
      fires: [{ labels, description: 'drivers on a uses 90% of its heap.' }],
      high: 900,
      low: 300,
      limit: 850,
      for: 5,
    }),
  },
  {
    name: 'PluginLoopSaturated',
    expr: `sum without (state) (rate(returnit_plugin_eventloop_time_seconds_total{state="active"}[2m]))
/ sum without (state) (rate(returnit_plugin_eventloop_time_seconds_total[2m])) > ${t.eventLoop.value}`,
    for: '2m',
    severity: 'warning',
    type: 'cause',
    plugin: '{{ $labels.plugin }}',
    summary: "A plugin's event loop has no time left",
    description:
      'The event loop of {{ $labels.plugin }} on {{ $labels.instance }} is busy for {{ $value | humanizePercentage }} of the time.',
    cases: {
      step: '15s',
      fires: {
        samples: loop('0+15x60', '0x60'),
        at: '6m',
        alerts: [{ labels, description: 'The event loop of drivers on a is busy for 100% of the time.' }],
      },
      quiet: { samples: loop('0+3x60', '0+12x60'), at: '10m' },
      boundary: { samples: loop('0+13.5x60', '0+1.5x60'), at: '10m' },
      resolves: { samples: loop('0+15x24 363+3x40', '0x24 12+12x40'), firesAt: '5m', at: '9m' },
    },
  },
  {
    name: 'RepeatedWorkFailing',
    // Of a process that is starting or gone its own alerts tell.
    expr: `sum without (outcome) (increase(returnit_plugin_repeats_total{outcome=~"error|timeout"}[10m])) > 0
unless sum without (outcome) (increase(returnit_plugin_repeats_total{outcome="ok"}[10m])) > 0`,
    for: '5m',
    severity: 'warning',
    type: 'cause',
    plugin: '{{ $labels.plugin }}',
    summary: 'Work that a plugin repeats succeeds no more',
    description:
      '"{{ $labels.name }}" of {{ $labels.plugin }} on {{ $labels.instance }} failed {{ $value | humanize }} times in 10 minutes and never succeeded.',
    cases: {
      fires: {
        samples: repeats('0+4x60', '40x60'),
        at: '20m',
        alerts: [
          {
            labels: { ...labels, name: 'figures' },
            description: '"figures" of drivers on a failed 40 times in 10 minutes and never succeeded.',
          },
        ],
      },
      quiet: { samples: repeats('0x60', '0+4x60'), at: '30m' },
      // One of forty succeeds: the figures are ten minutes old at most.
      boundary: { samples: repeats('0+4x60', '0+0.1x60'), at: '30m' },
      resolves: { samples: repeats('0+4x20 80x40', '0x20 0+4x40'), firesAt: '18m', at: '25m' },
    },
  },
];

function repeats(failed: string, succeeded: string) {
  return {
    [`returnit_plugin_repeats_total{${on},name="figures",outcome="error"}`]: failed,
    [`returnit_plugin_repeats_total{${on},name="figures",outcome="timeout"}`]: '0x60',
    [`returnit_plugin_repeats_total{${on},name="figures",outcome="ok"}`]: succeeded,
  };
}

function loop(active: string, idle: string) {
  return {
    [`returnit_plugin_eventloop_time_seconds_total{${on},state="active"}`]: active,
    [`returnit_plugin_eventloop_time_seconds_total{${on},state="idle"}`]: idle,
  };
}
