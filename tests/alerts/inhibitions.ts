export type Labels = Readonly<Record<string, string>>;

const pool = { db_client_connection_pool_name: 'orders' };
/** What fires, what is not worth telling then, and what is: the same elsewhere. */
export const inhibitions: readonly (readonly [Labels, Labels, Labels])[] = [
  [
    { alertname: 'TargetDown', instance: 't1' },
    { alertname: 'CpuHigh', instance: 't1' },
    { alertname: 'CpuHigh', instance: 't2' },
  ],
  [
    { alertname: 'DatabaseDown', instance: 'd1', job: 'd' },
    { alertname: 'OutboxStalled', job: 'd' },
    { alertname: 'OutboxStalled', job: 'e' },
  ],
  [
    { alertname: 'BrokerDisconnected', instance: 'b1', job: 'b' },
    { alertname: 'IngestStalled', job: 'b' },
    { alertname: 'IngestStalled', job: 'c' },
  ],
  [
    { alertname: 'MemoryNearLimit', instance: 'm1' },
    { alertname: 'MemoryHigh', instance: 'm1' },
    { alertname: 'MemoryHigh', instance: 'm2' },
  ],
  [
    { alertname: 'HeapNearLimit', instance: 'h1' },
    { alertname: 'HeapRatioHigh', instance: 'h1' },
    { alertname: 'HeapRatioHigh', instance: 'h2' },
  ],
  [
    { alertname: 'StorageFullSoon', instance: 's1' },
    { alertname: 'StorageFilling', instance: 's1' },
    { alertname: 'StorageFilling', instance: 's2' },
  ],
  ...['Users', 'Requests', 'Live', 'Queries'].map(
    (of, index, all) =>
      [
        { alertname: `Capacity${of}Exceeded`, job: `c${index}` },
        { alertname: `Capacity${of}`, job: `c${index}` },
        // Of one that is exceeded nothing follows for another.
        { alertname: `Capacity${all.at(index - 1)}`, job: `c${index}` },
      ] as const,
  ),
  [
    { alertname: 'PoolExhausted', instance: 'p1', ...pool },
    { alertname: 'PoolWaiting', instance: 'p1', ...pool },
    { alertname: 'PoolWaiting', instance: 'p1', db_client_connection_pool_name: 'drivers' },
  ],
  [
    { alertname: 'PluginQuarantined', instance: 'q1', plugin: 'drivers' },
    { alertname: 'PluginCrashLoop', instance: 'q1', plugin: 'drivers' },
    { alertname: 'PluginCrashLoop', instance: 'q1', plugin: 'orders' },
  ],
  [
    { alertname: 'ErrorBudgetBurnsFast', slo: 'availability' },
    { alertname: 'ErrorBudgetBurnsSlow', slo: 'availability' },
    { alertname: 'ErrorBudgetPromptnessBurnsSlow', slo: 'promptness' },
  ],
  [
    { alertname: 'ErrorBudgetBurnsSoon', slo: 's' },
    { alertname: 'ErrorBudgetBurnsWhole', slo: 's' },
    { alertname: 'ErrorBudgetBurnsSoon', slo: 's' },
  ],
];
