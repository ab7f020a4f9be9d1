import { each, type MetricDefinition } from './definition.ts';

/** `mqtt` are the devices at the embedded broker. */
const transports = each('transport', ['ws', 'sse', 'mqtt']);
const clientTransports = each('transport', ['ws', 'sse']);

export const liveMetrics: readonly MetricDefinition[] = [
  {
    name: 'returnit_live_connections',
    type: 'gauge',
    help: 'Open live connections, by transport (ws, sse, mqtt)',
    unit: 'connections',
    labels: ['transport'],
    initial: transports,
    owner: 'live',
  },
  {
    name: 'returnit_live_connections_max',
    type: 'gauge',
    help: 'Live connections allowed',
    unit: 'connections',
    labels: ['transport'],
    owner: 'live',
  },
  {
    name: 'returnit_live_connections_refused_total',
    type: 'counter',
    help: 'Live connections refused: unauthenticated, overloaded, stopping',
    unit: 'connections',
    labels: ['reason'],
    initial: each('reason', ['unauthenticated', 'overloaded', 'stopping']),
    owner: 'live',
  },
  {
    name: 'returnit_live_watch_requests_total',
    type: 'counter',
    help: 'Requests to watch a channel: allowed, denied, error, unknown (no such channel)',
    unit: 'requests',
    labels: ['plugin', 'outcome'],
    owner: 'live',
  },
  {
    name: 'returnit_live_messages_published_total',
    type: 'counter',
    help: 'Values published on live channels, watched or not',
    unit: 'messages',
    labels: [],
    initial: [{}],
    owner: 'live',
  },
  {
    name: 'returnit_live_messages_sent_total',
    type: 'counter',
    help: 'Values written to live connections',
    unit: 'messages',
    labels: ['transport'],
    initial: clientTransports,
    owner: 'live',
  },
  {
    name: 'returnit_live_messages_superseded_total',
    type: 'counter',
    help: 'Values replaced by a newer one before a slow client took them',
    unit: 'messages',
    labels: ['transport'],
    initial: clientTransports,
    owner: 'live',
  },
];
