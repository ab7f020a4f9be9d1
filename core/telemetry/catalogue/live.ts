import { each, type MetricDefinition } from './definition.ts';

/** `mqtt` are the devices at the embedded broker. */
const transports = each('transport', ['ws', 'sse', 'mqtt']);

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
    name: 'returnit_live_connections_closed_total',
    type: 'counter',
    help: 'Live connections ended, by reason',
    unit: 'connections',
    labels: ['reason'],
    owner: 'live',
  },
  {
    name: 'returnit_live_watchers',
    type: 'gauge',
    help: 'Channels watched, summed over the connections',
    unit: 'watchers',
    labels: ['plugin'],
    owner: 'live',
  },
  {
    name: 'returnit_live_watch_requests_total',
    type: 'counter',
    help: 'Requests to watch a channel: allowed, denied, error',
    unit: 'requests',
    labels: ['plugin', 'outcome'],
    owner: 'live',
  },
  {
    name: 'returnit_live_messages_published_total',
    type: 'counter',
    help: 'Values published on live channels',
    unit: 'messages',
    labels: ['plugin'],
    owner: 'live',
  },
  {
    name: 'returnit_live_messages_sent_total',
    type: 'counter',
    help: 'Values written to live connections',
    unit: 'messages',
    labels: ['plugin'],
    owner: 'live',
  },
  {
    name: 'returnit_live_messages_superseded_total',
    type: 'counter',
    help: 'Values replaced by a newer one before a slow client took them',
    unit: 'messages',
    labels: ['plugin'],
    owner: 'live',
  },
];
