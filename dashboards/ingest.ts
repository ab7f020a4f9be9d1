import { thresholds as t } from '#core/config/thresholds.ts';
import type { DashboardDefinition } from './panel.ts';
import { nodes, plugins, quantile, rate, same, shareGoneWrong } from './promql.ts';

/** From the phone to the map. */
export const ingest: DashboardDefinition = {
  uid: 'returnit-ingest',
  title: 'ReturnIt / GPS ingest and live',
  description: 'Whether fixes arrive, are stored and acknowledged in time, and reach those who watch.',
  rows: [
    {
      title: 'Broker',
      panels: [
        {
          id: 1,
          title: 'Connected to the broker',
          question: 'Does each node reach the broker?',
          unit: 'bool_yes_no',
          kind: 'number',
          queries: [{ expr: `min(returnit_mqtt_connected{${nodes}})`, legend: 'all nodes' }],
          limits: { critical: 1, below: true },
          width: 4,
          alerts: ['BrokerDisconnected'],
        },
        {
          id: 2,
          title: 'Messages from devices',
          question: 'How much do devices send? Silence after traffic is an alert.',
          unit: 'ops',
          queries: [
            {
              expr: rate('returnit_mqtt_messages_received_total', 'messaging_destination_template', plugins),
              legend: '{{messaging_destination_template}}',
            },
          ],
          min: 0,
          width: 10,
          alerts: ['IngestStalled'],
        },
        {
          id: 3,
          title: 'Refused, of what came',
          question: 'What share of the messages is bad? They are acknowledged and kept as dead letters.',
          unit: 'percentunit',
          queries: [
            {
              expr: shareGoneWrong(
                rate('returnit_mqtt_messages_rejected_total', 'plugin', plugins),
                rate('returnit_mqtt_messages_received_total', 'plugin', plugins),
              ),
              legend: '{{plugin}}',
            },
          ],
          limits: { warning: t.ingestRejected.value },
          min: 0,
          width: 10,
          alerts: ['IngestRejecting'],
        },
        {
          id: 4,
          title: 'Connection attempts',
          question: 'Do devices get in, and if not, why?',
          unit: 'ops',
          queries: [{ expr: rate('returnit_mqtt_authentications_total', 'outcome'), legend: '{{outcome}}' }],
          min: 0,
        },
        {
          id: 5,
          title: 'Lost or refused before a plugin saw it',
          question: 'Is anything lost? More than 0 is an incident.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (reason) (increase(returnit_mqtt_messages_dropped_total{${nodes}}[5m]))`,
              legend: '{{reason}} in 5 min',
            },
            {
              expr: `max(increase(returnit_mqtt_broker_dropped_total{${nodes}}[5m]))`,
              legend: 'by the broker in 5 min',
            },
          ],
          min: 0,
          alerts: ['BrokerDropping'],
        },
        {
          id: 6,
          title: 'Outside their filters',
          question: 'Do devices try what they may not?',
          unit: 'ops',
          queries: [{ expr: rate('returnit_mqtt_authorizations_denied_total', 'action'), legend: '{{action}}' }],
          min: 0,
        },
      ],
    },
    {
      title: 'Fixes',
      panels: [
        {
          id: 7,
          title: 'Until acknowledged, p95',
          question: 'How long from a message to its acknowledgement, after the commit?',
          unit: 's',
          queries: [
            { expr: quantile(0.95, 'returnit_mqtt_ack_duration_seconds', { by: 'qos' }), legend: 'QoS {{qos}}' },
          ],
          limits: { warning: t.acknowledgement.value },
          min: 0,
          alerts: ['AcknowledgementsSlow'],
        },
        {
          id: 8,
          title: 'Behind the phone',
          question: 'How old is the newest fix of a batch when it comes, and how long until it is stored?',
          unit: 's',
          queries: [
            { expr: quantile(0.5, 'returnit_tracking_receipt_lag_seconds', { by: 'fix' }), legend: '{{fix}} fix, p50' },
            {
              expr: quantile(0.95, 'returnit_tracking_receipt_lag_seconds', {
                matchers: `${nodes},fix="newest"`,
              }),
              legend: 'newest fix, p95',
            },
            { expr: quantile(0.95, 'returnit_tracking_commit_lag_seconds'), legend: 'to the commit, p95' },
          ],
          limits: { warning: t.ingestLag.value },
          min: 0,
          alerts: ['FixesLate'],
        },
        {
          id: 9,
          title: 'Messages that wait',
          question: 'Is a backlog worked off? Prompt ones pass it.',
          unit: 'short',
          queries: [
            { expr: `sum by (lane) (returnit_mqtt_waiting_messages{${plugins}})`, legend: '{{lane}}' },
            { expr: `sum(returnit_mqtt_inflight_messages{${nodes}})`, legend: 'in flight' },
          ],
          min: 0,
        },
        {
          id: 16,
          title: 'Bytes held for messages',
          question: 'What do messages take of memory? At the limit reading pauses. Unsent: devices do not read.',
          unit: 'bytes',
          queries: [
            { expr: `sum(returnit_mqtt_inflight_bytes{${nodes}})`, legend: 'in flight' },
            { expr: `sum(returnit_mqtt_inflight_max_bytes{${nodes}})`, legend: 'in flight at most' },
            {
              expr: `sum by (direction) (returnit_mqtt_buffered_bytes{${nodes}})`,
              legend: 'with connections: {{direction}}',
            },
          ],
          min: 0,
        },
        {
          id: 10,
          title: 'Fixes stored',
          question: 'How many are new, and how many were known?',
          unit: 'ops',
          kind: 'stacked',
          queries: [{ expr: rate('returnit_tracking_fixes_total', 'outcome'), legend: '{{outcome}}' }],
        },
        {
          id: 11,
          title: 'Rejected and flagged',
          question: 'What is wrong with what phones send?',
          unit: 'ops',
          queries: [
            { expr: rate('returnit_tracking_rejected_total', 'reason'), legend: 'rejected: {{reason}}' },
            { expr: rate('returnit_tracking_flagged_total', 'flag'), legend: 'flagged: {{flag}}' },
            {
              expr: `sum(rate(returnit_tracking_clock_ahead_total{${nodes}}[$__rate_interval]))`,
              legend: "recorded after they came: the phone's clock",
            },
          ],
          min: 0,
        },
        {
          id: 12,
          title: 'Size of a batch, p50',
          question: 'How many messages share a commit? It grows with the load.',
          unit: 'short',
          queries: [
            {
              expr: quantile(0.5, 'returnit_mqtt_batch_size', { by: 'plugin', matchers: plugins }),
              legend: '{{plugin}}',
            },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Drivers and those who watch',
      panels: [
        {
          id: 13,
          title: 'Drivers by presence',
          question: 'Whom do we hear from?',
          unit: 'short',
          kind: 'stacked',
          queries: [{ expr: same('returnit_tracking_drivers', 'presence'), legend: '{{presence}}' }],
        },
        {
          id: 14,
          title: 'Live connections',
          question: 'Who watches, and by what?',
          unit: 'short',
          kind: 'stacked',
          queries: [{ expr: `sum by (transport) (returnit_live_connections{${nodes}})`, legend: '{{transport}}' }],
        },
        {
          id: 15,
          title: 'Live values',
          question: 'How much is sent, and how much is replaced by something newer since a client is slow?',
          unit: 'ops',
          queries: [
            { expr: rate('returnit_live_messages_sent_total', 'transport'), legend: 'sent by {{transport}}' },
            { expr: rate('returnit_live_messages_conflated_total', 'transport'), legend: 'replaced at {{transport}}' },
          ],
          min: 0,
        },
      ],
    },
  ],
};
