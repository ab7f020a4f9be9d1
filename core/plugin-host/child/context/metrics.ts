import type { Metrics } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';

type Labels = Readonly<Record<string, string>>;

export function createMetrics(core: CoreConnection): Metrics {
  return Object.freeze({
    increment: (name: string, labels: Labels = {}, by = 1) =>
      core.note('metrics.record', { kind: 'increment', name, value: by, labels }),
    set: (name: string, value: number, labels: Labels = {}) =>
      core.note('metrics.record', { kind: 'set', name, value, labels }),
    observe: (name: string, value: number, labels: Labels = {}) =>
      core.note('metrics.record', { kind: 'observe', name, value, labels }),
  });
}
