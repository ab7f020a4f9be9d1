import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { AppError } from '#core/errors/app-error.ts';
import { catalogue } from './catalogue.ts';
import type { MetricDefinition } from './catalogue/definition.ts';
import { createCollectors } from './collectors.ts';
import { createExposition, type WrittenMetrics } from './exposition.ts';
import { describeDefinitionProblem, familyName } from './metric-name.ts';
import { createMetricFamily, type MetricFamily } from './metric-family.ts';
import type { Counter, Gauge, Histogram, Labels } from './recorder.ts';
import { always, createSeriesBudget, type SeriesBudget } from './series-budget.ts';

export type { Counter, Gauge, Histogram, Labels };

export interface Metrics {
  /** @throws {TypeError} when the catalogue has no counter of this name */
  counter(name: string): Counter;
  /** @throws {TypeError} when the catalogue has no gauge of this name */
  gauge(name: string): Gauge;
  /** @throws {TypeError} when the catalogue has no histogram of this name */
  histogram(name: string): Histogram;
  /**
   * Adds a metric that a plugin declares. The same definition again (after a restart) changes nothing.
   *
   * @throws {AppError} INVALID_MANIFEST when it breaks the naming rules or clashes with another metric
   */
  define(definition: MetricDefinition): void;
  /** Every metric there is: the catalogue and what plugins defined. */
  definitions(): readonly MetricDefinition[];
  /** Runs `collect` before each scrape; returns the function that ends this. */
  onCollect(collect: () => void | Promise<void>): () => void;
  /** Prometheus text, or OpenMetrics with exemplars when `accept` prefers it. */
  write(accept?: string): Promise<WrittenMetrics>;
  /** The same as one text. */
  render(accept?: string): Promise<{ contentType: string; body: string }>;
}

export interface MetricsOptions {
  /** Label sets kept per metric (METRIC_LABEL_SETS_MAX). */
  readonly labelSetsMax: number;
  /** Series that are exported, of all metrics together (METRIC_SERIES_MAX). @default 10000 */
  readonly seriesMax?: number;
  /** Longest that one collector may hold up a scrape. @default 5000 */
  readonly collectTimeoutMs?: number;
  /** Metrics that one plugin may define. @default 50 */
  readonly definitionsPerOwnerMax?: number;
  /** Told when a collector fails or takes too long; the scrape goes on without it. */
  onCollectError?(error: unknown): void;
}

const droppedName = 'returnit_metric_labelsets_dropped_total';
/** Of all series, for what one plugin declares: none can use up what the others need. */
const ownerShare = 1 / 8;

/** The metrics of this process: what the catalogue names, with every known label set at 0. */
export function createMetrics(options: MetricsOptions): Metrics {
  const families = new Map<string, MetricFamily>();
  const exposition = createExposition();
  const seriesMax = options.seriesMax ?? 10_000;
  const budget = createSeriesBudget(seriesMax);
  const ownerBudgets = new Map<string, SeriesBudget>();

  function add(definition: MetricDefinition, own: SeriesBudget): void {
    const { name } = definition;
    const family = createMetricFamily(definition, {
      // One set a metric, and there are only so many of those; without it nobody would hear of the others.
      ...(name === droppedName
        ? { labelSetsMax: Infinity, budget: always(budget) }
        : { labelSetsMax: options.labelSetsMax, budget: own }),
      onOverflow: () => counter(droppedName).inc({ metric: name }),
    });
    families.set(name, family);
    exposition.add(family);
  }

  /** What cannot have too many label sets drops none. */
  function beginDropped({ name, labels }: MetricDefinition): void {
    if (labels.length > 0) counter(droppedName).inc({ metric: name }, 0);
  }

  function define(definition: MetricDefinition): void {
    const { name, owner } = definition;
    const all = [...families.values()].map((family) => family.definition);
    if (all.some((other) => isDeepStrictEqual(other, definition))) return;
    const problem = describeClash(definition, all, options.definitionsPerOwnerMax ?? 50);
    if (problem !== undefined) {
      throw new AppError('INVALID_MANIFEST', `Cannot define metric "${name}": ${problem}`, {
        details: { metric: name },
      });
    }
    const ownMax = Math.floor(seriesMax * ownerShare);
    add(
      definition,
      ownerBudgets.getOrInsertComputed(owner, () => createSeriesBudget(ownMax, budget)),
    );
    beginDropped(definition);
  }

  for (const definition of catalogue) add(definition, budget);
  const counter = (name: string): Counter => findRecorder(families, name, 'counter') as Counter;
  for (const definition of catalogue) beginDropped(definition);
  const collectErrors = counter('returnit_metrics_collect_errors_total');
  const collectors = createCollectors(options.collectTimeoutMs ?? 5000, (error) => {
    collectErrors.inc();
    options.onCollectError?.(error);
  });

  async function write(accept?: string): Promise<WrittenMetrics> {
    await collectors.run();
    return exposition.write(accept);
  }

  return {
    counter,
    gauge: (name) => findRecorder(families, name, 'gauge') as Gauge,
    histogram: (name) => findRecorder(families, name, 'histogram') as Histogram,
    define,
    definitions: () => [...families.values()].map((family) => family.definition),
    onCollect: (collect) => collectors.add(collect),
    write,
    render: async (accept) => toText(await write(accept)),
  };
}

async function toText({ contentType, pieces }: WrittenMetrics): Promise<{ contentType: string; body: string }> {
  return { contentType, body: await text(Readable.from(pieces)) };
}

function findRecorder(
  families: ReadonlyMap<string, MetricFamily>,
  name: string,
  type: MetricDefinition['type'],
): MetricFamily['recorder'] {
  const family = families.get(name);
  if (family?.definition.type === type) return family.recorder;
  const what = family === undefined ? 'it is not in the catalogue' : `it is a ${family.definition.type}`;
  throw new TypeError(`Cannot use ${type} "${name}": ${what}`);
}

/** Why it cannot stand beside these; undefined when it can. */
function describeClash(
  definition: MetricDefinition,
  all: readonly MetricDefinition[],
  ownerMax: number,
): string | undefined {
  const problem = describeDefinitionProblem(definition);
  if (problem !== undefined) return problem;
  const clash = all.find((other) => familyName(other) === familyName(definition));
  if (clash !== undefined) return `${clash.owner} already has "${clash.name}" with another definition`;
  const { owner } = definition;
  return all.filter((other) => other.owner === owner).length >= ownerMax
    ? `${owner} already has ${ownerMax}`
    : undefined;
}
