/**
 * Numbers beyond which something is wrong or soon will be: settings take their defaults from here, alerts their rules, the
 * README its table.
 */
export interface Threshold {
  readonly value: number;
  /** `ratio` (0 to 1), `s`, `ms`, `bytes`, or what is counted. */
  readonly unit: string;
  readonly meaning: string;
}

const define = <Name extends string>(all: Readonly<Record<Name, Threshold>>): Readonly<Record<Name, Threshold>> => all;

export const thresholds = define({
  cpu: { value: 0.8, unit: 'ratio', meaning: "processors in use, of the container's limit, for 2 minutes" },
  cpuThrottled: { value: 0.1, unit: 'ratio', meaning: 'time in which the container was held back' },
  memory: { value: 0.85, unit: 'ratio', meaning: "memory in use, of the container's limit" },
  memoryCritical: { value: 0.95, unit: 'ratio', meaning: 'the same, when it is about to be killed' },
  heap: { value: 0.9, unit: 'ratio', meaning: 'heap in use, of what is committed' },
  heapOfLimit: {
    value: 0.25,
    unit: 'ratio',
    meaning: 'and of the largest heap: below this the one before says nothing',
  },
  heapBytes: { value: 67_108_864, unit: 'bytes', meaning: 'and at least so much' },
  heapKept: {
    value: 0.5,
    unit: 'ratio',
    meaning: 'heap that is kept after a collection, of the largest heap: below this its growth says nothing',
  },
  heapFull: { value: 14_400, unit: 's', meaning: 'until the heap is full, by the growth of an hour' },
  heapCritical: { value: 0.85, unit: 'ratio', meaning: 'heap in use, of the largest heap' },
  eventLoop: { value: 0.9, unit: 'ratio', meaning: 'time in which the event loop was busy' },
  eventLoopDelay: { value: 0.25, unit: 's', meaning: 'how late timers are at p99' },
  slowRequestMs: { value: 1000, unit: 'ms', meaning: 'a request is slow' },
  slowRequests: { value: 0.01, unit: 'ratio', meaning: 'slow requests of a route' },
  failedRequests: { value: 0.05, unit: 'ratio', meaning: "requests of a plugin's routes that were answered 5xx" },
  samples: { value: 20, unit: 'samples', meaning: 'fewer say nothing about a share' },
  queryMean: { value: 0.5, unit: 's', meaning: "a plugin's statements take on average" },
  queryTail: { value: 0.5, unit: 's', meaning: "a plugin's statements take at p99" },
  tailSamples: { value: 100, unit: 'samples', meaning: 'fewer say nothing about one in a hundred' },
  clockSkew: { value: 1, unit: 's', meaning: "between a node's clock and the database's" },
  disk: { value: 0.1, unit: 'ratio', meaning: 'space that is free' },
  diskCritical: { value: 0.02, unit: 'ratio', meaning: 'the same, when writes are about to fail' },
  diskFilling: { value: 0.4, unit: 'ratio', meaning: 'space that is free: above this its decrease says nothing' },
  diskFull: { value: 86_400, unit: 's', meaning: 'until nothing is free, by the decrease of six hours' },
  diskFillingCritical: { value: 0.2, unit: 'ratio', meaning: 'space that is free, when it is soon' },
  diskFullCritical: { value: 14_400, unit: 's', meaning: 'the same, when it is soon' },
  pool: { value: 0.8, unit: 'ratio', meaning: 'connections of a pool in use' },
  poolWait: { value: 0.1, unit: 's', meaning: 'waiting for a connection at p95' },
  jobAge: { value: 300, unit: 's', meaning: 'the oldest job of a queue that could run' },
  jobFailures: { value: 0.05, unit: 'ratio', meaning: 'attempts of a queue that failed' },
  outboxAge: { value: 60, unit: 's', meaning: 'the oldest row of the outbox' },
  eventLag: { value: 30, unit: 's', meaning: 'from an event to its subscriber at p95' },
  ingestSilence: { value: 300, unit: 's', meaning: 'no message of a device after an hour with more than one a second' },
  ingestRejected: { value: 0.01, unit: 'ratio', meaning: 'messages of devices that were refused' },
  ingestLag: { value: 30, unit: 's', meaning: 'from a fix to its receipt at p95, of the newest of each batch' },
  acknowledgement: { value: 2.5, unit: 's', meaning: 'from a message to its acknowledgement at p95' },
  pluginDeaths: { value: 3, unit: 'deaths', meaning: 'of one plugin in 10 minutes' },
  capacity: { value: 0.8, unit: 'ratio', meaning: 'of what the platform is laid out for' },
  capacityCritical: { value: 1, unit: 'ratio', meaning: 'the same, when it is more than that' },
  users: { value: 1000, unit: 'users', meaning: 'at the same time: it is laid out for' },
  requestsPerMinute: { value: 10_000, unit: 'requests/min', meaning: 'it is laid out for' },
  liveConnections: { value: 500, unit: 'connections', meaning: 'it is laid out for' },
  queriesPerSecond: { value: 1000, unit: 'queries/s', meaning: 'it is laid out for' },
  resource: { value: 0.9, unit: 'ratio', meaning: 'of what may be used of a resource' },
  resourceCompute: { value: 2, unit: 'cores', meaning: 'all nodes together are to use at most' },
  resourceMemory: { value: 4_000_000_000, unit: 'bytes', meaning: 'of memory, the same' },
  resourceDatabase: { value: 2_000_000_000, unit: 'bytes', meaning: 'size of the database' },
  resourceBandwidth: { value: 100_000_000_000, unit: 'bytes', meaning: 'sent in 30 days' },
  resourceStorage: { value: 50_000_000_000, unit: 'bytes', meaning: 'in use on the volume of the data folder' },
  ordersSilence: { value: 1800, unit: 's', meaning: 'no booking on a weekday between 9:00 and 18:00 in New York' },
  availability: { value: 0.999, unit: 'ratio', meaning: 'requests of 30 days that are not answered 5xx' },
  promptness: { value: 0.99, unit: 'ratio', meaning: 'requests of 30 days that are not slow' },
  budgetSamples: { value: 10, unit: 'requests', meaning: 'that failed: fewer use up no budget that matters' },
});
