import { Registry, type Metric, type PrometheusContentType, type OpenMetricsContentType } from '@prometheus-io/client';
import { familyName } from './metric-name.ts';
import type { MetricFamily } from './metric-family.ts';

export interface Exposition {
  add(family: MetricFamily): void;
  render(accept?: string): Promise<{ contentType: string; body: string }>;
}

/**
 * Writes metrics in both formats. A registry of @prometheus-io/client has one format for good and, in OpenMetrics, cuts
 * `_total` from its counters' names in place; so there are two registries, each with its own view of every family.
 */
export function createExposition(): Exposition {
  const text = new Registry<PrometheusContentType>(Registry.PROMETHEUS_CONTENT_TYPE);
  const openMetrics = new Registry<OpenMetricsContentType>(Registry.OPENMETRICS_CONTENT_TYPE);

  return {
    add(family) {
      text.registerMetric(viewOf(family, family.definition.name));
      openMetrics.registerMetric(viewOf(family, familyName(family.definition)));
    },
    async render(accept) {
      const registry = prefersOpenMetrics(accept) ? openMetrics : text;
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}

/** The part of a Metric that a registry reads. */
function viewOf(family: MetricFamily, name: string): Metric {
  const { help, type } = family.definition;
  const view = {
    name,
    help,
    type,
    aggregator: 'sum',
    get: () => ({ name, help, type, aggregator: 'sum', values: family.samples() }),
  };
  return view as unknown as Metric;
}

/** Prometheus lists what it takes with weights, such as `application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2`. */
function prefersOpenMetrics(accept = ''): boolean {
  const weights = accept.split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    return { type, weight: weight === undefined ? 1 : Number(weight.slice(2)) || 0 };
  });
  const weightOf = (...types: readonly string[]): number =>
    Math.max(0, ...weights.filter(({ type }) => types.includes(type)).map(({ weight }) => weight));
  const openMetrics = weightOf('application/openmetrics-text');
  return openMetrics > 0 && openMetrics >= weightOf('text/plain', 'text/*');
}
