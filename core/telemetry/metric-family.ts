import { TraceFlags, type Span, type SpanContext } from '@opentelemetry/api';
import { activeContext } from './active-tracer.ts';
import type { MetricDefinition } from './catalogue/definition.ts';
import { createFinder, createLabelSets, type LabelSets } from './label-sets.ts';
import { toHeader, toLabelsText, toNumberText, type TextFormat } from './metric-text.ts';
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

export interface MetricFamily {
  readonly definition: MetricDefinition;
  readonly recorder: Counter | Gauge | Histogram;
  /** All of it as it is now, without a line feed at its end. */
  write(format: TextFormat): string;
}

interface FamilyOptions {
  readonly labelSetsMax: number;
  readonly budget: SeriesBudget;
  onOverflow(): void;
}

interface ValueChild {
  /** In braces, unless there are none. */
  readonly labels: string;
  value: number;
}

interface HistogramChild {
  /** Without braces: a bucket has one more. */
  readonly labels: string;
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
  const sets = labelSetsOf<ValueChild>(definition, options, (labels) => ({
    labels: inBraces(toLabelsText(labels)),
    value: start,
  }));
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
    write(format) {
      let text = toHeader(definition, format);
      for (const { labels, value } of sets.values())
        if (!Number.isNaN(value)) text += `\n${definition.name}${labels} ${toNumberText(value)}`;
      return text;
    },
  };
}

function inBraces(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

function createHistogramFamily(definition: MetricDefinition, options: FamilyOptions): MetricFamily {
  const bounds = definition.buckets ?? [];
  const exemplars = definition.exemplars === true;
  const sets = labelSetsOf<HistogramChild>(definition, options, (labels) => ({
    labels: toLabelsText(labels),
    counts: Array.from({ length: bounds.length + 1 }, () => 0),
    exemplars: Array.from({ length: exemplars ? bounds.length + 1 : 0 }),
    sum: 0,
    count: 0,
  }));
  for (const labels of definition.initial ?? []) sets.of(labels);
  const writeSeries = createSeriesWriter(definition.name, bounds);

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
    write: (format) => toHeader(definition, format) + writeSeries(sets.values(), format),
  };
}

/** Of each label set its buckets, which are cumulative, the sum and the count. */
function createSeriesWriter(
  name: string,
  bounds: readonly number[],
): (children: Iterable<HistogramChild>, format: TextFormat) => string {
  const buckets = [...bounds, '+Inf'].map((bound) => `\n${name}_bucket{le="${bound}"`);
  return (children, format) => {
    let text = '';
    for (const { labels, counts, exemplars, sum, count } of children) {
      const more = labels === '' ? '} ' : `,${labels}} `;
      let cumulative = 0;
      for (let index = 0; index < buckets.length; index += 1) {
        cumulative += counts[index] as number;
        text += `${buckets[index]}${more}${cumulative}`;
        const exemplar = exemplars[index];
        if (exemplar !== undefined && format === 'openmetrics') text += toExemplar(exemplar);
      }
      const all = inBraces(labels);
      text += `\n${name}_sum${all} ${toNumberText(sum)}\n${name}_count${all} ${count}`;
    }
    return text;
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

function toExemplar({ span, value, timestamp }: Traced): string {
  return ` # {trace_id="${span.traceId}"} ${toNumberText(value)} ${timestamp}`;
}
