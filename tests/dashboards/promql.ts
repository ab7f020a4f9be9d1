/** PromQL with Grafana's variables in it, read by Prometheus's own grammar. */
import { parser } from '@prometheus-io/lezer-promql';

/** Odd numbers, so that a rule can still tell what stood there. */
export const rateInterval = '8869990787ms';
const range = '8869990788ms';

/** What Grafana puts in before it asks Prometheus. */
export function fillIn(expr: string, values: Readonly<Record<string, string>> = {}): string {
  return expr
    .replaceAll('$__rate_interval', values['__rate_interval'] ?? rateInterval)
    .replaceAll('$__range', values['__range'] ?? range)
    .replaceAll(/\$(\w+)/g, (_whole, name: string) => values[name] ?? '.*');
}

export interface Selector {
  readonly metric: string;
  readonly matchers: string;
  /** Functions and aggregations around it, from the inside. */
  readonly within: readonly string[];
  /** Of a range, such as `5m`; undefined for an instant. */
  readonly range: string | undefined;
}

/** All selectors of a query. @throws {SyntaxError} at the first place that is no PromQL */
export function readSelectors(expr: string): readonly Selector[] {
  const text = fillIn(expr);
  const found: Selector[] = [];
  parser.parse(text).iterate({
    enter(node) {
      if (node.type.isError)
        throw new SyntaxError(`'${text.slice(Math.max(0, node.from - 20), node.to + 20)}' is no PromQL`);
      if (node.name !== 'VectorSelector') return;
      const within: string[] = [];
      let selectedRange: string | undefined;
      for (let parent = node.node.parent; parent !== null; parent = parent.parent) {
        if (parent.name === 'MatrixSelector')
          selectedRange = /\[(\w+)\]$/.exec(text.slice(parent.from, parent.to))?.[1];
        const called = /^\w+/.exec(text.slice(parent.from, parent.to))?.[0];
        if ((parent.name === 'FunctionCall' || parent.name === 'AggregateExpr') && called !== undefined)
          within.push(called);
      }
      const selector = text.slice(node.from, node.to);
      const [, metric = '', matchers = ''] = /^([\w:]*)(?:\{(.*)\})?$/s.exec(selector) ?? [];
      found.push({ metric, matchers, within, range: selectedRange });
    },
  });
  return found;
}
