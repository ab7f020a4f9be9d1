import { TraceFlags, type Span, type SpanContext } from '@opentelemetry/api';
import { activeContext } from './active-tracer.ts';
import type { MetricDefinition } from './catalogue/definition.ts';
import { createFinder, createLabelSets, type LabelSets } from './label-sets.ts';
import type { Counter, Gauge, Histogram, Labels } from './recorder.ts';
import type { SeriesBudget } from './series-budget.ts';
import { spanOf } from './span-context.ts';

/** The newest traced observation of a bucket. */
interface Traced {
  span: SpanContext;
  value: number;
  /** Seconds since the epoch. */
  timestamp: number;
}

/** One line of the exposition, as the registry of @prometheus-io/client reads it. */
export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly sharedLabels?: Labels;
  readonly metricName?: string;
  readonly value: number;
  readonly exemplar?: Pick<Traced, 'value' | 'timestamp'> & { readonly labelSet: { readonly trace_id: string } };
}

export interface MetricFamily {
  readonly definition: MetricDefinition;
  readonly recorder: Counter | Gauge | Histogram;
  /** As they are now; each is made when it is asked for. */
  samples(): Iterable<Sample>;
}

interface FamilyOptions {
  readonly labelSetsMax: number;
  readonly budget: SeriesBudget;
  onOverflow(): void;
}

interface ValueChild {
  readonly labels: Labels;
  value: number;
}

interface HistogramChild {
  readonly labels: Labels;
  /** Not cumulative; the last one is above every bound. */
  readonly counts: number[];
  readonly exemplars: (Traced | undefined)[];
  sum: number;
  count: number;
}

/** A metric with what was recorded for each of its label sets. */
export function createMetricFamily(definition: MetricDefinition, options: FamilyOptions): MetricFamily {
  return definition.type === 'histogram'
    ? createHistogramFamily(definition, options)
    : createValueFamily(definition, options);
}

function labelSetsOf<Child extends object>(
  definition: MetricDefinition,
  options: FamilyOptions,
  create: (labels: Labels) => Child,
): LabelSets<Child> {
  return createLabelSets({
    metric: definition.name,
    labels: definition.labels,
    partition: definition.partition,
    // What the catalogue names is bounded already.
    max: Math.max(options.labelSetsMax, definition.initial?.length ?? 0),
    series: seriesOf(definition),
    budget: options.budget,
    onOverflow: () => options.onOverflow(),
    create,
  });
}

/** Of one label set. A histogram has one for each bucket, the one without a bound, the sum and the count. */
function seriesOf({ type, buckets = [] }: MetricDefinition): number {
  return type === 'histogram' ? buckets.length + 3 : 1;
}

function createValueFamily(definition: MetricDefinition, options: FamilyOptions): MetricFamily {
  // An unlabelled gauge nobody has set says nothing: 0 would be a lie for a timestamp or a limit.
  const start = definition.type === 'gauge' ? Number.NaN : 0;
  const sets = labelSetsOf<ValueChild>(definition, options, (labels) => ({ labels, value: start }));
  for (const labels of definition.initial ?? []) sets.of(labels).value = 0;

  const assertNumber = (value: number): void => {
    if (Number.isNaN(value))
      throw new TypeError(`Cannot record metric "${definition.name}": the value is not a number`);
  };
  const count = (child: ValueChild, by: number): void => {
    if (!(by >= 0)) throw new RangeError(`Cannot count metric "${definition.name}" by ${by}: a counter only rises`);
    child.value += by;
  };
  const add = (child: ValueChild, by: number): void => {
    assertNumber(by);
    child.value = Number.isNaN(child.value) ? by : child.value + by;
  };
  const counter: Counter = {
    inc: (labels = {}, by = 1) => count(sets.of(labels), by),
    with(labels) {
      const find = createFinder(sets, labels);
      return { inc: (by = 1) => count(find(), by) };
    },
    advanceTo(labels, total) {
      assertNumber(total);
      const child = sets.of(labels);
      if (total > child.value) child.value = total;
    },
    remove: (labels) => sets.remove(labels),
  };
  const gauge: Gauge = {
    set(labels, value) {
      assertNumber(value);
      sets.of(labels).value = value;
    },
    add: (labels, by) => add(sets.of(labels), by),
    with(labels) {
      const find = createFinder(sets, labels);
      return { add: (by) => add(find(), by) };
    },
    remove(labels) {
      if (definition.labels.length > 0) sets.remove(labels);
      else sets.of({}).value = start;
    },
  };
  return {
    definition,
    recorder: definition.type === 'counter' ? counter : gauge,
    samples: () =>
      [...sets.values()]
        .filter(({ value }) => !Number.isNaN(value))
        // As shared ones, which the registry remembers as text.
        .map(({ labels: sharedLabels, value }) => ({ labels: {}, sharedLabels, value })),
  };
}

function createHistogramFamily(definition: MetricDefinition, options: FamilyOptions): MetricFamily {
  const bounds = definition.buckets ?? [];
  const exemplars = definition.exemplars === true;
  const sets = labelSetsOf<HistogramChild>(definition, options, (labels) => ({
    labels,
    counts: Array.from({ length: bounds.length + 1 }, () => 0),
    exemplars: Array.from({ length: exemplars ? bounds.length + 1 : 0 }),
    sum: 0,
    count: 0,
  }));
  for (const labels of definition.initial ?? []) sets.of(labels);

  const assertFinite = (value: number): void => {
    if (!Number.isFinite(value))
      throw new TypeError(`Cannot record metric "${definition.name}": ${value} is not a finite number`);
  };
  const observe = (child: HistogramChild, value: number, span?: Span): void => {
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
    child.counts[bucket] = (child.counts[bucket] as number) + 1;
    child.sum += value;
    child.count += 1;
    if (!exemplars) return;
    const context = (span ?? spanOf(activeContext()))?.spanContext();
    if (isSampled(context)) child.exemplars[bucket] = toTraced(child.exemplars[bucket], context, value);
  };
  const histogram: Histogram = {
    observe(labels, value) {
      assertFinite(value);
      observe(sets.of(labels), value);
    },
    with(labels) {
      const find = createFinder(sets, labels);
      return {
        observe(value, span) {
          assertFinite(value);
          observe(find(), value, span);
        },
      };
    },
  };
  return {
    definition,
    recorder: histogram,
    samples() {
      const taken = [...sets.values()].map((child) => ({ ...child, counts: [...child.counts] }));
      return histogramSamples(definition.name, bounds, taken);
    },
  };
}

/** In the place of the earlier one. */
function toTraced(earlier: Traced | undefined, span: SpanContext, value: number): Traced {
  const timestamp = Date.now() / 1000;
  if (earlier === undefined) return { span, value, timestamp };
  earlier.span = span;
  earlier.value = value;
  earlier.timestamp = timestamp;
  return earlier;
}

function isSampled(span: SpanContext | undefined): span is SpanContext {
  return span !== undefined && (span.traceFlags & TraceFlags.SAMPLED) !== 0;
}

function toExemplar({ span, value, timestamp }: Traced): NonNullable<Sample['exemplar']> {
  return { labelSet: { trace_id: span.traceId }, value, timestamp };
}

function* histogramSamples(
  name: string,
  bounds: readonly number[],
  children: readonly HistogramChild[],
): Generator<Sample, void> {
  for (const { labels: sharedLabels, counts, exemplars, sum, count } of children) {
    let cumulative = 0;
    for (const [index, inBucket] of counts.entries()) {
      cumulative += inBucket;
      const exemplar = exemplars[index];
      yield {
        labels: { le: bounds[index] ?? '+Inf' },
        sharedLabels,
        metricName: `${name}_bucket`,
        value: cumulative,
        ...(exemplar === undefined ? {} : { exemplar: toExemplar(exemplar) }),
      };
    }
    yield { labels: {}, sharedLabels, metricName: `${name}_sum`, value: sum };
    yield { labels: {}, sharedLabels, metricName: `${name}_count`, value: count };
  }
}
