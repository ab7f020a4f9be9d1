import type { MetricDefinition } from './definition.ts';

/** What there is a budget for, and its unit. */
export const resourceUnits = {
  compute: 'cores',
  memory: 'bytes',
  database: 'bytes',
  bandwidth: 'bytes',
  storage: 'bytes',
} as const;

export const resourceMetrics: readonly MetricDefinition[] = [
  {
    name: 'returnit_resource_limit',
    type: 'gauge',
    help: 'What all nodes together are to use at most, by resource; without a budget, no series. Every node reports the same',
    unit: 'as its label says',
    labels: ['resource', 'unit'],
    owner: 'telemetry',
  },
  {
    name: 'returnit_network_sent_bytes_total',
    type: 'counter',
    help: 'Sent over the network by the container, or by the machine outside one; not what stays on it',
    unit: 'bytes',
    labels: [],
    owner: 'telemetry',
  },
  {
    name: 'returnit_storage_used_bytes',
    type: 'gauge',
    help: 'In use on the volume that the data folder is on',
    unit: 'bytes',
    labels: [],
    owner: 'telemetry',
  },
  {
    name: 'returnit_storage_free_bytes',
    type: 'gauge',
    help: 'What may still be written to that volume',
    unit: 'bytes',
    labels: [],
    owner: 'telemetry',
  },
];
