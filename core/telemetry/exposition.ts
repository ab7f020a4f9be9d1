import { setImmediate } from 'node:timers/promises';
import { Registry, type Metric, type PrometheusContentType, type OpenMetricsContentType } from '@prometheus-io/client';
import { familyName } from './metric-name.ts';
import type { MetricFamily, Sample } from './metric-family.ts';

export interface Exposition {
  add(family: MetricFamily): void;
  /** All families, in the format that `accept` prefers. */
  write(accept?: string): WrittenMetrics;
}

export interface WrittenMetrics {
  readonly contentType: string;
  /** Of the text, as they are written. */
  readonly pieces: AsyncIterable<string>;
}

interface Format {
  readonly registry: Registry;
  readonly nameOf: (family: MetricFamily) => string;
  /** Between two families. */
  readonly gap: string;
  readonly end: string;
}

/** Written at once. */
const sliceSamples = 250;
/** Most families are a few lines: each would be a packet of its own. */
const pieceLengthMin = 16 * 1024;
/** Then others get their turn: ten thousand series are tens of milliseconds of work. */
const turnMs = 4;

/**
 * Writes metrics in both formats. A registry of @prometheus-io/client has one format for good, so there are two. They are
 * given one family after another to write, in slices: all that is theirs they would write in one turn of the event loop.
 * The values of a family are of one moment; another family's may be of a later one.
 */
export function createExposition(): Exposition {
  const text: Format = {
    registry: new Registry<PrometheusContentType>(Registry.PROMETHEUS_CONTENT_TYPE),
    nameOf: ({ definition }) => definition.name,
    gap: '\n\n',
    end: '\n',
  };
  const openMetrics: Format = {
    registry: new Registry<OpenMetricsContentType>(Registry.OPENMETRICS_CONTENT_TYPE),
    nameOf: ({ definition }) => familyName(definition),
    gap: '\n',
    end: '\n# EOF\n',
  };
  const families: MetricFamily[] = [];

  async function* write({ nameOf, registry, gap, end }: Format): AsyncGenerator<string, void> {
    let turnEndsAtMs = performance.now() + turnMs;
    let piece = '';
    for (const [index, family] of families.entries()) {
      const name = nameOf(family);
      if (index > 0) piece += gap;
      let isBegun = false;
      for (const slice of slicesOf(family.samples())) {
        const lines = await registry.getMetricsAsString(viewOf(family, name, slice));
        piece += isBegun ? `\n${withoutHeader(lines)}` : lines;
        isBegun = true;
        if (piece.length >= pieceLengthMin) {
          yield piece;
          piece = '';
        }
        turnEndsAtMs = await endTurn(turnEndsAtMs);
      }
    }
    yield piece + end;
  }

  return {
    add(family) {
      families.push(family);
    },
    write(accept) {
      const format = prefersOpenMetrics(accept) ? openMetrics : text;
      return { contentType: format.registry.contentType, pieces: write(format) };
    },
  };
}

/** At least one, since a family without samples is written as well. */
function* slicesOf(samples: Iterable<Sample>): Generator<readonly Sample[], void> {
  let slice: Sample[] = [];
  let given = 0;
  for (const sample of samples) {
    slice.push(sample);
    if (slice.length < sliceSamples) continue;
    yield slice;
    given += 1;
    slice = [];
  }
  if (slice.length > 0 || given === 0) yield slice;
}

/** @returns when the turn is to end that runs then */
async function endTurn(endsAtMs: number): Promise<number> {
  if (performance.now() < endsAtMs) return endsAtMs;
  await setImmediate();
  return performance.now() + turnMs;
}

/** Without `# HELP` and `# TYPE`, which stand once above a family. */
function withoutHeader(lines: string): string {
  return lines.slice(lines.indexOf('\n', lines.indexOf('\n') + 1) + 1);
}

/** The part of a Metric that a registry writes. */
function viewOf(family: MetricFamily, name: string, values: readonly Sample[]): Metric {
  const { help, type } = family.definition;
  const view = { get: () => ({ name, help, type, aggregator: 'sum', values }) };
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
