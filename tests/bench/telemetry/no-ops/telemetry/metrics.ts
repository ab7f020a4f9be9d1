import type { Metrics } from '#core/telemetry/metrics.ts';

const nothing = (): void => undefined;
const bound = { inc: nothing, add: nothing, observe: nothing };
const recorder = { ...bound, advanceTo: nothing, remove: nothing, set: nothing, with: () => bound };

/** Counts nothing, knows no metric and shows none. */
export function createMetrics(): Metrics {
  return {
    counter: () => recorder,
    gauge: () => recorder,
    histogram: () => recorder,
    define: nothing,
    definitions: () => [],
    onCollect: () => nothing,
    render: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: '' }),
  };
}
