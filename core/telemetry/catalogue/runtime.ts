import { each, type MetricDefinition } from './definition.ts';

/** What most of these are: unlabelled, recorded by telemetry. */
function plain(
  type: 'counter' | 'gauge',
  name: string,
  { unit, help }: { unit: string; help: string },
): MetricDefinition {
  return { name, type, help, unit, labels: [], owner: 'telemetry' };
}

const nodeMetrics: readonly MetricDefinition[] = [
  {
    name: 'nodejs_eventloop_time_seconds_total',
    type: 'counter',
    help: 'Time of the event loop, by state; utilisation is rate(active) / rate(all)',
    unit: 'seconds',
    labels: ['nodejs_eventloop_state'],
    initial: each('nodejs_eventloop_state', ['active', 'idle']),
    owner: 'telemetry',
  },
  {
    name: 'nodejs_eventloop_delay_seconds',
    type: 'histogram',
    help: 'How late a timer fired; the sampling interval is subtracted',
    unit: 'seconds',
    labels: [],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    owner: 'telemetry',
  },
  {
    name: 'nodejs_gc_duration_seconds',
    type: 'histogram',
    help: 'Duration of garbage collections, by kind (major, minor, incremental, weakcb)',
    unit: 'seconds',
    labels: ['kind'],
    buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1],
    initial: each('kind', ['major', 'minor', 'incremental', 'weakcb']),
    owner: 'telemetry',
  },
  plain('gauge', 'nodejs_heap_size_used_bytes', { unit: 'bytes', help: 'V8 heap in use' }),
  plain('gauge', 'nodejs_heap_size_total_bytes', { unit: 'bytes', help: 'V8 heap committed' }),
  plain('gauge', 'nodejs_heap_size_limit_bytes', { unit: 'bytes', help: 'V8 heap at which the process ends' }),
  plain('gauge', 'nodejs_heap_size_after_gc_bytes', {
    unit: 'bytes',
    help: 'V8 heap in use after the newest major collection',
  }),
  plain('gauge', 'nodejs_external_memory_bytes', {
    unit: 'bytes',
    help: 'Memory outside the heap held by objects of the heap',
  }),
];

const processMetrics: readonly MetricDefinition[] = [
  plain('counter', 'process_cpu_user_seconds_total', { unit: 'seconds', help: 'User CPU time of the process' }),
  plain('counter', 'process_cpu_system_seconds_total', { unit: 'seconds', help: 'System CPU time of the process' }),
  plain('counter', 'process_cpu_seconds_total', { unit: 'seconds', help: 'CPU time of the process' }),
  plain('gauge', 'process_resident_memory_bytes', { unit: 'bytes', help: 'Resident memory of the process' }),
  plain('gauge', 'process_start_time_seconds', { unit: 'seconds', help: 'When the process started, since the epoch' }),
  plain('gauge', 'process_open_fds', { unit: 'descriptors', help: 'Open file descriptors' }),
  plain('gauge', 'process_max_fds', { unit: 'descriptors', help: 'Open file descriptors allowed' }),
];

// Not `container_*`, which are cAdvisor's names and mean the whole container as the host sees it.
const containerMetrics: readonly MetricDefinition[] = [
  {
    name: 'returnit_container_info',
    type: 'gauge',
    help: '1; where the limits come from (cgroup v2, v1 or none)',
    unit: 'boolean',
    labels: ['cgroup_version', 'cpu_limit_source', 'memory_limit_source'],
    owner: 'telemetry',
  },
  plain('counter', 'returnit_container_cpu_usage_seconds_total', {
    unit: 'seconds',
    help: 'CPU time of the container, or of the process outside one',
  }),
  plain('counter', 'returnit_container_cpu_throttled_seconds_total', {
    unit: 'seconds',
    help: 'Time the container was held back by its CPU quota',
  }),
  plain('gauge', 'returnit_container_cpu_limit_cores', {
    unit: 'cores',
    help: 'CPU quota; without one, the cores that the process may use',
  }),
  plain('gauge', 'returnit_container_memory_working_set_bytes', {
    unit: 'bytes',
    help: 'Memory in use without inactive page cache',
  }),
  plain('gauge', 'returnit_container_memory_limit_bytes', {
    unit: 'bytes',
    help: 'Memory limit; without one, the memory of the machine',
  }),
  plain('counter', 'returnit_container_oom_kills_total', {
    unit: 'kills',
    help: 'Processes of the container killed for lack of memory',
  }),
];

export const runtimeMetrics: readonly MetricDefinition[] = [...nodeMetrics, ...processMetrics, ...containerMetrics];
