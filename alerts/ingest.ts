import { thresholds as t } from '#core/config/thresholds.ts';
import type { Alert } from './alert.ts';
import { counterCases, gaugeCases } from './cases.ts';

const template = 'plugin="tracking",messaging_destination_template="drivers/{driverId}/location"';
const received = (growth: string) => ({
  [`returnit_mqtt_messages_received_total{job="returnit",instance="a",${template},qos="1"}`]: growth,
});
const labels = { job: 'returnit', instance: 'a' };

/** Batches of a job, of which some have a fix that is younger than half a minute, and all one of a minute. */
function lag(job: string, { prompt, all }: { readonly prompt: string; readonly all: string }) {
  const fixes = `job="${job}",instance="a",plugin="tracking",fix="newest"`;
  const name = 'returnit_tracking_receipt_lag_seconds';
  return {
    [`${name}_bucket{${fixes},le="30"}`]: prompt,
    [`${name}_bucket{${fixes},le="60"}`]: all,
    [`${name}_bucket{${fixes},le="+Inf"}`]: all,
    [`${name}_count{${fixes}}`]: all,
  };
}

/** What devices send. */
export const ingest: readonly Alert[] = [
  {
    name: 'BrokerDisconnected',
    expr: 'returnit_mqtt_connected == 0',
    for: '1m',
    severity: 'critical',
    type: 'symptom',
    plugin: 'core',
    summary: 'A node has no connection to the MQTT broker',
    description: '{{ $labels.instance }} is not connected to its broker (returnit_mqtt_connected is {{ $value }}).',
    cases: gaugeCases({
      samples: (values) => ({ 'returnit_mqtt_connected{job="returnit",instance="a"}': values }),
      fires: [{ labels, description: 'a is not connected to its broker (returnit_mqtt_connected is 0).' }],
      high: 0,
      low: 1,
      limit: 1,
      for: 1,
    }),
  },
  {
    name: 'IngestStalled',
    expr: `sum by (job) (rate(returnit_mqtt_messages_received_total[${t.ingestSilence.value}s])) == 0
and sum by (job) (rate(returnit_mqtt_messages_received_total[1h] offset ${t.ingestSilence.value}s)) > 1`,
    for: '1m',
    severity: 'critical',
    type: 'symptom',
    plugin: 'tracking',
    summary: 'Nothing comes from devices any more',
    description:
      'In the last 5 minutes {{ $value }} messages of devices came, after an hour with more than one a second.',
    cases: {
      fires: {
        samples: received('0+300x60 18000x30'),
        at: '70m',
        alerts: [
          {
            labels: { job: 'returnit' },
            description: 'In the last 5 minutes 0 messages of devices came, after an hour with more than one a second.',
          },
        ],
      },
      quiet: { samples: received('0+300x90'), at: '80m' },
      // A night in which hardly anybody drives.
      boundary: { samples: received('0+6x60 360x30'), at: '70m' },
      resolves: { samples: received('0+300x60 18000x10 18300+300x30'), firesAt: '70m', at: '75m' },
    },
  },
  {
    name: 'IngestRejecting',
    expr: `sum by (job, plugin) (increase(returnit_mqtt_messages_rejected_total[5m]))
/ (sum by (job, plugin) (increase(returnit_mqtt_messages_received_total[5m])) >= ${t.samples.value}) > ${t.ingestRejected.value}`,
    for: '5m',
    severity: 'warning',
    type: 'symptom',
    plugin: '{{ $labels.plugin }}',
    summary: 'Messages of devices are refused',
    description: '{{ $value | humanizePercentage }} of the messages to {{ $labels.plugin }} are refused.',
    cases: counterCases({
      samples: (faulty) => ({
        [`returnit_mqtt_messages_rejected_total{job="returnit",${template},qos="1",reason="unusable"}`]: faulty(60),
        ...received('0+256x60'),
        // All of few is no share.
        'returnit_mqtt_messages_rejected_total{job="returnit",plugin="drivers",reason="unusable"}': '0+3x60',
        'returnit_mqtt_messages_received_total{job="returnit",plugin="drivers"}': '0+3x60',
      }),
      fires: [
        {
          labels: { job: 'returnit', plugin: 'tracking', service: 'tracking' },
          description: '12.5% of the messages to tracking are refused.',
        },
      ],
      high: 32,
      low: 0,
      limit: 2,
      window: 5,
      for: 5,
    }),
  },
  {
    name: 'AcknowledgementsSlow',
    expr: `histogram_quantile(0.95, sum without (qos) (rate(returnit_mqtt_ack_duration_seconds_bucket[5m]))) > ${t.acknowledgement.value}`,
    for: '5m',
    severity: 'warning',
    type: 'symptom',
    plugin: 'tracking',
    summary: 'Messages of devices wait to be committed',
    description:
      'On {{ $labels.instance }} one in twenty is acknowledged after {{ $value | humanizeDuration }} or more.',
    cases: counterCases({
      samples: (faulty) => ({
        'returnit_mqtt_ack_duration_seconds_bucket{job="returnit",instance="a",qos="1",le="2.5"}': '0+95x60',
        'returnit_mqtt_ack_duration_seconds_bucket{job="returnit",instance="a",qos="1",le="5"}': faulty(60),
        'returnit_mqtt_ack_duration_seconds_bucket{job="returnit",instance="a",qos="1",le="+Inf"}': faulty(60),
      }),
      fires: [{ labels, description: 'On a one in twenty is acknowledged after 4.868s or more.' }],
      high: 1900,
      low: 95,
      limit: 100,
      window: 5,
      for: 5,
    }),
  },
  {
    name: 'FixesLate',
    expr: `histogram_quantile(0.95, sum by (job, plugin, le) (rate(returnit_tracking_receipt_lag_seconds_bucket{fix="newest"}[5m]))) > ${t.ingestLag.value}
and on (job, plugin) sum by (job, plugin) (increase(returnit_tracking_receipt_lag_seconds_count{fix="newest"}[5m])) >= ${t.samples.value}`,
    for: '5m',
    severity: 'warning',
    type: 'symptom',
    plugin: 'tracking',
    summary: 'Positions are old when they come',
    description: 'One batch in twenty has no fix that is younger than {{ $value | humanizeDuration }} when it comes.',
    cases: counterCases({
      samples: (faulty) => ({
        ...lag('returnit', { prompt: '0+95x60', all: faulty(60) }),
        // Of few the one in twenty is any.
        ...lag('other', { prompt: '0x60', all: '0+3x60' }),
      }),
      fires: [
        {
          labels: { job: 'returnit', plugin: 'tracking' },
          description: 'One batch in twenty has no fix that is younger than 58.42s when it comes.',
        },
      ],
      high: 1900,
      low: 95,
      limit: 100,
      window: 5,
      for: 5,
    }),
  },
  {
    name: 'BrokerDropping',
    expr: 'max without (instance) (increase(returnit_mqtt_broker_dropped_total[5m])) > 0',
    for: '0m',
    severity: 'critical',
    type: 'symptom',
    plugin: 'core',
    summary: 'The broker throws messages away that it has acknowledged',
    description: 'In the last 5 minutes the broker dropped {{ $value | humanize }} messages.',
    cases: counterCases({
      samples: (faulty) => ({ 'returnit_mqtt_broker_dropped_total{job="returnit",instance="a"}': faulty(60) }),
      fires: [{ labels: { job: 'returnit' }, description: 'In the last 5 minutes the broker dropped 50 messages.' }],
      high: 10,
      low: 0,
      limit: 0,
      window: 5,
      for: 0,
    }),
  },
];
