/** The nodes that are looked at. What every node reports the same is read with `max`. */
export const nodes = 'job=~"$job",instance=~"$instance"';
/** And the plugins. */
export const plugins = `${nodes},plugin=~"$plugin"`;
/** For what is recorded over all nodes. */
export const allNodes = 'job=~"$job"';

/** How much a counter grows in a second, by labels. */
export function rate(counter: string, by: string, matchers: string = nodes): string {
  return `sum by (${by}) (rate(${counter}{${matchers}}[$__rate_interval]))`;
}

/** What part of a second is spent by, or of a whole is, the first of two counters. */
export function share(part: string, whole: string): string {
  return `${part} / (${whole} > 0)`;
}

/** The same of what goes wrong: where nothing ever has there is no series, which is none of them. */
export function shareGoneWrong(wrong: string, whole: string): string {
  return share(`(${wrong} or 0 * ${whole})`, whole);
}

interface QuantileOptions {
  /** @default none: of all together */
  readonly by?: string;
  /** @default nodes */
  readonly matchers?: string;
}

/** A quantile of a histogram, given without `_bucket`. */
export function quantile(of: number, histogram: string, { by = '', matchers = nodes }: QuantileOptions = {}): string {
  const labels = by === '' ? 'le' : `${by}, le`;
  return `histogram_quantile(${of}, sum by (${labels}) (rate(${histogram}_bucket{${matchers}}[$__rate_interval])))`;
}

/** A gauge that every node reports the same. */
export function same(gauge: string, by = '', matchers: string = nodes): string {
  return by === '' ? `max(${gauge}{${matchers}})` : `max by (${by}) (${gauge}{${matchers}})`;
}
