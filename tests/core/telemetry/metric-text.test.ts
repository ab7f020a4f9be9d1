import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import {
  Counter,
  Gauge,
  Histogram,
  Registry,
  type HistogramConfiguration,
  type OpenMetricsContentType,
  type PrometheusContentType,
} from '@prometheus-io/client';
import fc from 'fast-check';
import type { MetricDefinition } from '#core/telemetry/catalogue/definition.ts';
import { createExposition } from '#core/telemetry/exposition.ts';
import { createMetricFamily, type MetricFamily } from '#core/telemetry/metric-family.ts';
import type * as recorder from '#core/telemetry/recorder.ts';
import { createSeriesBudget } from '#core/telemetry/series-budget.ts';
import { definition } from './metrics-fixture.ts';

const definitions = {
  counter: definition({ name: 'returnit_tours_total', labels: ['plugin', 'reason'], help: 'Tours\\stops\nof a day' }),
  gauge: definition({ name: 'returnit_seats', type: 'gauge', labels: ['plugin', 'reason'] }),
  histogram: definition({
    name: 'returnit_tour_seconds',
    type: 'histogram',
    labels: ['plugin', 'reason'],
    buckets: [0.0005, 1, 1e21],
  }),
  bare: definition({ name: 'returnit_bare_seconds', type: 'histogram', labels: [], buckets: [0.5] }),
};
const accepted = { prometheus: 'text/plain', openmetrics: 'application/openmetrics-text;version=1.0.0' };

interface Recorded {
  readonly labels: { readonly plugin: string; readonly reason: string };
  readonly value: number;
}

type LibraryOptions = Omit<HistogramConfiguration<string>, 'collect'>;

interface Recorders {
  readonly counter: { inc(labels: recorder.Labels, by: number): void };
  readonly gauge: Pick<recorder.Gauge, 'set'>;
  readonly histogram: Pick<recorder.Histogram, 'observe'>;
  readonly bare: Pick<recorder.Histogram, 'observe'>;
}

function record(recorded: readonly Recorded[], { counter, gauge, histogram, bare }: Recorders): void {
  for (const { labels, value } of recorded) {
    counter.inc(labels, Math.abs(value));
    gauge.set(labels, value);
    histogram.observe(labels, value);
    bare.observe({}, value);
  }
}

/** Of the client library of the Prometheus project. A histogram without labels is there from its first value on. */
async function byLibrary(registry: Registry<never>, recorded: readonly Recorded[]): Promise<string> {
  const options = ({ name, help, labels, buckets = [] }: MetricDefinition): LibraryOptions => ({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    buckets: [...buckets],
  });
  const recorders = {
    counter: new Counter(options(definitions.counter)),
    gauge: new Gauge(options(definitions.gauge)),
    histogram: new Histogram(options(definitions.histogram)),
    bare: new Histogram(options(definitions.bare)),
  };
  record(recorded, recorders);
  return registry.metrics();
}

interface OurText {
  /** A family more, and what records in it. */
  add(of: MetricDefinition): MetricFamily['recorder'];
  write(accept?: string): Promise<string>;
}

function createText(): OurText {
  const exposition = createExposition();
  return {
    add(of) {
      const onOverflow = (): void => assert.fail('there is room');
      const family = createMetricFamily(of, { labelSetsMax: 100, budget: createSeriesBudget(10_000), onOverflow });
      exposition.add(family);
      return family.recorder;
    },
    write: (accept) => text(Readable.from(exposition.write(accept).pieces)),
  };
}

function byUs(recorded: readonly Recorded[], accept: string): Promise<string> {
  const ours = createText();
  record(recorded, {
    counter: ours.add(definitions.counter) as recorder.Counter,
    gauge: ours.add(definitions.gauge) as recorder.Gauge,
    histogram: ours.add(definitions.histogram) as recorder.Histogram,
    bare: ours.add(definitions.bare) as recorder.Histogram,
  });
  return ours.write(accept);
}

describe('the text of metrics', () => {
  // An empty label is no label, which the library does not know.
  const label = fc.oneof(
    fc.string({ minLength: 1, unit: 'binary' }),
    fc.constantFrom('"', '\\', '\n', '\\n', 'a"b\\\n', 'é'),
  );
  const recorded = fc.array(
    fc.record({
      labels: fc.record({ plugin: label, reason: label }, { noNullPrototype: true }),
      value: fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e25, max: 1e25 }),
    }),
    { minLength: 1, maxLength: 20 },
  );
  const registries = {
    prometheus: () => new Registry<PrometheusContentType>(Registry.PROMETHEUS_CONTENT_TYPE),
    openmetrics: () => new Registry<OpenMetricsContentType>(Registry.OPENMETRICS_CONTENT_TYPE),
  };
  for (const format of ['prometheus', 'openmetrics'] as const) {
    it(`is what @prometheus-io/client writes, as ${format}`, async () => {
      await fc.assert(
        fc.asyncProperty(recorded, async (all) => {
          assert.equal(
            await byUs(all, accepted[format]),
            await byLibrary(registries[format]() as Registry<never>, all),
          );
        }),
        { numRuns: 200 },
      );
    });
  }

  it('has quotes of a help text as they are, and escaped in OpenMetrics, which asks for it', async () => {
    const ours = createText();
    ours.add(definition({ help: 'Tours "on" time' }));
    assert.match(await ours.write(accepted.prometheus), /^# HELP returnit_tours_total Tours "on" time$/m);
    assert.match(await ours.write(accepted.openmetrics), /^# HELP returnit_tours Tours \\"on\\" time$/m);
  });

  it('has infinities as both formats write them', async () => {
    const ours = createText();
    const gauge = ours.add(definitions.gauge) as recorder.Gauge;
    gauge.set({ plugin: 'a' }, Infinity);
    gauge.set({ plugin: 'b' }, -Infinity);
    const lines = await ours.write();
    assert.match(lines, /^returnit_seats\{plugin="a"\} \+Inf$/m);
    assert.match(lines, /^returnit_seats\{plugin="b"\} -Inf$/m);
  });
});
