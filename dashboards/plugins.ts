import { thresholds as t } from '#core/config/thresholds.ts';
import type { DashboardDefinition } from './panel.ts';
import { plugins as of, quantile, rate, share } from './promql.ts';

const calls = 'returnit_plugin_capability_calls_total';
const loop = 'returnit_plugin_eventloop_time_seconds_total';

/** What plugins ask for, get and use. */
export const plugins: DashboardDefinition = {
  uid: 'returnit-plugins',
  title: 'ReturnIt / Plugins',
  description: 'What each plugin may do and does, whether it lives, and what it uses.',
  rows: [
    {
      title: 'Permissions',
      panels: [
        {
          id: 17,
          title: 'Permissions requested and granted',
          question:
            'What does each plugin ask for, and what has it? Missing: nobody has decided, and it will be denied.',
          unit: 'short',
          kind: 'table',
          queries: [
            {
              expr: `max by (plugin, permission, state) (returnit_plugin_permissions{${of}})`,
              legend: '{{plugin}} {{permission}} {{state}}',
            },
          ],
          width: 16,
        },
        {
          id: 1,
          title: 'Capabilities used',
          question: 'What does each plugin do? Everything it does is one of these calls.',
          unit: 'ops',
          queries: [
            { expr: `topk(10, ${rate(calls, 'plugin, capability', of)})`, legend: '{{plugin}} {{capability}}' },
          ],
          min: 0,
        },
        {
          id: 2,
          title: 'Denied',
          question: 'Who asks for what was not granted? A mistake in the manifest, or somebody who tries.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (plugin, capability) (increase(${calls}{${of},outcome="denied"}[5m])) > 0 or vector(0)`,
              legend: '{{plugin}} {{capability}} in 5 min',
            },
          ],
          min: 0,
          alerts: ['PluginDenied'],
        },
        {
          id: 3,
          title: 'Calls that did not go well',
          question: 'How do calls fail: error, timeout, budget?',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (plugin, outcome) (rate(${calls}{${of},outcome!="ok"}[$__rate_interval]))`,
              legend: '{{plugin}} {{outcome}}',
            },
          ],
          min: 0,
        },
        {
          id: 4,
          title: 'A call takes, p99',
          question: 'How long do calls of the core take?',
          unit: 's',
          queries: [
            {
              expr: quantile(0.99, 'returnit_plugin_capability_call_duration_seconds', { by: 'plugin', matchers: of }),
              legend: '{{plugin}}',
            },
          ],
          min: 0,
        },
        {
          id: 5,
          title: 'A handler takes, p99',
          question: 'How long do plugins take to answer the core?',
          unit: 's',
          queries: [
            {
              expr: quantile(0.99, 'returnit_plugin_handler_duration_seconds', { by: 'plugin', matchers: of }),
              legend: '{{plugin}}',
            },
          ],
          min: 0,
        },
        {
          id: 6,
          title: 'Left out',
          question: 'Does a plugin send more than it may: lines, values, frames?',
          unit: 'ops',
          queries: [
            { expr: rate('returnit_plugin_log_lines_dropped_total', 'plugin', of), legend: '{{plugin}} lines' },
            { expr: rate('returnit_plugin_metric_records_refused_total', 'plugin', of), legend: '{{plugin}} values' },
            { expr: rate('returnit_plugin_notes_dropped_total', 'plugin', of), legend: '{{plugin}} frames' },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Life',
      panels: [
        {
          id: 7,
          title: 'States',
          question: 'What is each plugin doing?',
          unit: 'none',
          kind: 'table',
          queries: [
            { expr: `sum by (plugin, state) (returnit_plugin_state{${of}}) > 0`, legend: '{{plugin}} {{state}}' },
          ],
          alerts: ['PluginQuarantined'],
        },
        {
          id: 8,
          title: 'Deaths in 10 minutes',
          question: 'Which plugins die, and of what? At the line somebody is called.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (plugin, reason) (increase(returnit_plugin_restarts_total{${of}}[10m]))`,
              legend: '{{plugin}} {{reason}}',
            },
          ],
          limits: { critical: t.pluginDeaths.value },
          min: 0,
          alerts: ['PluginCrashLoop'],
        },
        {
          id: 9,
          title: 'Newest start',
          question: 'How long did the newest start take?',
          unit: 's',
          queries: [{ expr: `max by (plugin) (returnit_plugin_boot_seconds{${of}})`, legend: '{{plugin}}' }],
          min: 0,
        },
        {
          id: 16,
          title: 'Repeated work that failed',
          question:
            'Which work of a plugin fails again and again? What figures it showed are as old as its last success.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (plugin, name, outcome) (increase(returnit_plugin_repeats_total{${of},outcome!="ok"}[10m])) > 0 or vector(0)`,
              legend: '{{plugin}} {{name}} {{outcome}} in 10 min',
            },
          ],
          min: 0,
          alerts: ['RepeatedWorkFailing'],
        },
      ],
    },
    {
      title: 'What they use',
      panels: [
        {
          id: 10,
          title: 'Event loop busy',
          question: 'Is a plugin busy all the time? Then its answers are late.',
          unit: 'percentunit',
          queries: [
            {
              expr: share(
                `sum by (plugin) (rate(${loop}{${of},state="active"}[$__rate_interval]))`,
                rate(loop, 'plugin', of),
              ),
              legend: '{{plugin}}',
            },
          ],
          limits: { warning: t.eventLoop.value },
          min: 0,
          alerts: ['PluginLoopSaturated'],
        },
        {
          id: 11,
          title: 'Heap, of what it may fill',
          question: 'Does a heap fill up? At 1 the plugin is ended and started anew.',
          unit: 'percentunit',
          queries: [
            {
              expr: `max by (plugin) (returnit_plugin_heap_used_bytes{${of}} / (returnit_plugin_heap_limit_bytes{${of}} > 0))`,
              legend: '{{plugin}}',
            },
          ],
          limits: { warning: t.heapCritical.value },
          min: 0,
          alerts: ['PluginHeapNearLimit'],
        },
        {
          id: 12,
          title: 'Processors',
          question: 'How many processors does each plugin use?',
          unit: 'short',
          kind: 'stacked',
          queries: [{ expr: rate('returnit_plugin_cpu_seconds_total', 'plugin', of), legend: '{{plugin}}' }],
        },
        {
          id: 13,
          title: 'Resident memory',
          question: 'How much memory does each plugin take?',
          unit: 'bytes',
          kind: 'stacked',
          queries: [{ expr: `sum by (plugin) (returnit_plugin_rss_bytes{${of}})`, legend: '{{plugin}}' }],
        },
        {
          id: 14,
          title: 'Calls in flight',
          question: 'Do calls pile up between the core and a plugin?',
          unit: 'short',
          queries: [
            {
              expr: `sum by (plugin, direction) (returnit_plugin_calls_in_flight{${of}})`,
              legend: '{{plugin}} {{direction}}',
            },
          ],
          min: 0,
        },
        {
          id: 15,
          title: 'Channel',
          question: 'How much goes between the core and each plugin?',
          unit: 'Bps',
          kind: 'stacked',
          queries: [{ expr: rate('returnit_plugin_channel_bytes_total', 'plugin', of), legend: '{{plugin}}' }],
        },
      ],
    },
  ],
};
