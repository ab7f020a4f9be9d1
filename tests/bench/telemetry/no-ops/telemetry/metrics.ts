import { Readable } from 'node:stream';
import type { Metrics } from '#core/telemetry/metrics.ts';

const contentType = 'text/plain; version=0.0.4; charset=utf-8';
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
    write: () => Promise.resolve({ contentType, pieces: Readable.from([]) }),
    render: () => Promise.resolve({ contentType, body: '' }),
  };
}
