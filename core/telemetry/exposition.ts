import { setImmediate } from 'node:timers/promises';
import type { MetricFamily } from './metric-family.ts';
import type { TextFormat } from './metric-text.ts';

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

/** The least that is sent at once: most families are a few lines, each of which would be a packet of its own. */
const pieceLengthMin = 16 * 1024;
/** Then others get their turn: ten thousand series are some milliseconds of work. */
const turnMs = 4;

const contentTypes: Readonly<Record<TextFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};
/** What stands between two families, and behind the last one. */
const gaps: Readonly<Record<TextFormat, string>> = { prometheus: '\n\n', openmetrics: '\n' };
const ends: Readonly<Record<TextFormat, string>> = { prometheus: '\n', openmetrics: '\n# EOF\n' };

/**
 * Writes metrics in both formats, one family after another, with turns for others between them. The values of a family are of one
 * moment; another family's may be of a later one.
 */
export function createExposition(): Exposition {
  const families: MetricFamily[] = [];

  async function* write(format: TextFormat): AsyncGenerator<string, void> {
    let turnEndsAtMs = performance.now() + turnMs;
    let piece = '';
    for (const [index, family] of families.entries()) {
      piece += (index > 0 ? gaps[format] : '') + family.write(format);
      if (piece.length >= pieceLengthMin) {
        yield piece;
        piece = '';
      }
      if (performance.now() < turnEndsAtMs) continue;
      await setImmediate();
      turnEndsAtMs = performance.now() + turnMs;
    }
    yield piece + ends[format];
  }

  return {
    add(family) {
      families.push(family);
    },
    write(accept) {
      const format = prefersOpenMetrics(accept) ? 'openmetrics' : 'prometheus';
      return { contentType: contentTypes[format], pieces: write(format) };
    },
  };
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
