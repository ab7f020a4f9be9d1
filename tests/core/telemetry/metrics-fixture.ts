import type { MetricDefinition } from '#core/telemetry/catalogue/definition.ts';
import { createMetrics, type Metrics } from '#core/telemetry/metrics.ts';

/** Of one series; undefined when there is none. */
export async function valueOf(metrics: Metrics, series: string): Promise<number | undefined> {
  const { body } = await metrics.render();
  const line = body.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

export function definition(changes: Partial<MetricDefinition> = {}): MetricDefinition {
  return {
    name: 'returnit_tours_total',
    type: 'counter',
    help: 'Tours',
    unit: 'tours',
    labels: ['plugin'],
    owner: 'drivers',
    ...changes,
  };
}

/** Metrics of the test's own, so that it does not depend on what the catalogue holds. */
export function createTestMetrics(labelSetsMax: number): Metrics {
  const metrics = createMetrics({ labelSetsMax });
  metrics.define(definition({ name: 'returnit_ends_total', labels: ['reason'] }));
  metrics.define(definition({ name: 'returnit_seats', type: 'gauge' }));
  return metrics;
}
