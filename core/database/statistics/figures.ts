import type { Labels, Metrics } from '#core/telemetry/metrics.ts';

export interface Figure {
  readonly labels: Labels;
  readonly value: number;
}

/**
 * What a fall of a total means. `reset`: the server counts anew, and what it has counted since is added. `loss`: a part of
 * the sum was forgotten (a statement that the server no longer follows), and it goes on from there.
 */
type Fall = 'reset' | 'loss';

/** The metrics of one reading. What is no longer there goes away, so that nothing old is shown as if it were so now. */
export interface Figures {
  /** A gauge has these label sets, and no others. */
  show(gauge: string, figures: readonly Figure[]): void;
  /**
   * A counter rises by what the server's totals rose. The first that is seen counts for nothing: it is years old, or what
   * the node that read before has counted.
   */
  follow(counter: string, figures: readonly Figure[], fall: Fall): void;
  /** As `follow`, and has these label sets alone. */
  followOnly(counter: string, figures: readonly Figure[], fall: Fall): void;
  /** All that is shown goes away; what was counted stays, and the next totals are the first again. */
  clear(): void;
}

interface Total {
  readonly labels: Labels;
  value: number;
}

const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels));

export function createFigures(metrics: Pick<Metrics, 'counter' | 'gauge'>): Figures {
  const shown = new Map<string, ReadonlyMap<string, Labels>>();
  const totals = new Map<string, Map<string, Total>>();

  function show(gauge: string, figures: readonly Figure[]): void {
    const now = new Map(figures.map(({ labels }) => [keyOf(labels), labels]));
    for (const [key, labels] of shown.get(gauge) ?? []) if (!now.has(key)) metrics.gauge(gauge).remove(labels);
    for (const { labels, value } of figures) metrics.gauge(gauge).set(labels, value);
    shown.set(gauge, now);
  }

  function follow(counter: string, figures: readonly Figure[], fall: Fall): Map<string, Total> {
    const seen = totals.getOrInsertComputed(counter, () => new Map<string, Total>());
    for (const { labels, value } of figures) {
      const total = seen.getOrInsertComputed(keyOf(labels), () => ({ labels, value }));
      const isFallen = value < total.value;
      const growth = isFallen ? (fall === 'reset' ? value : 0) : value - total.value;
      metrics.counter(counter).inc(labels, growth);
      total.value = value;
    }
    return seen;
  }

  function drop(counter: string, kept: ReadonlySet<string>): void {
    for (const [key, { labels }] of totals.get(counter) ?? []) {
      if (kept.has(key)) continue;
      metrics.counter(counter).remove(labels);
      totals.get(counter)?.delete(key);
    }
  }
  const exclusive = new Set<string>();

  return {
    show,
    follow: (counter, figures, fall) => void follow(counter, figures, fall),
    followOnly(counter, figures, fall) {
      exclusive.add(counter);
      follow(counter, figures, fall);
      drop(counter, new Set(figures.map(({ labels }) => keyOf(labels))));
    },
    clear() {
      for (const gauge of shown.keys()) show(gauge, []);
      for (const counter of exclusive) drop(counter, new Set());
      totals.clear();
    },
  };
}
