/** Rules and routes as they are, with all their times shortened by one factor. Nothing else of them changes. */
import { parser } from '@prometheus-io/lezer-promql';
import { parse, stringify } from 'yaml';

/** Longest first, as Prometheus writes them. */
const unitMs = { y: 31_536_000_000, w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
const durationPattern = /^(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m(?!s))?(?:\d+s)?(?:\d+ms)?$/;

/** @throws {RangeError} when it is no duration of Prometheus, such as `5m` or `1h30m` */
export function parseDuration(text: string): number {
  if (text === '' || !durationPattern.test(text)) throw new RangeError(`Cannot read the duration '${text}'`);
  return [...text.matchAll(/(\d+)(ms|[ywdhms])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * unitMs[unit as keyof typeof unitMs],
    0,
  );
}

/** In whole milliseconds; what is more than nothing stays so. */
export function scaleDuration(text: string, factor: number): string {
  const ms = parseDuration(text);
  return formatDuration(ms === 0 ? 0 : Math.max(1, Math.round(ms / factor)));
}

export const formatDuration = (ms: number): string => (ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`);

/**
 * Ranges, offsets and the steps of subqueries, by Prometheus' own grammar: names such as `slo:sli_error:increase5m`, label
 * values and numbers stay as they are.
 *
 * @param ages numbers that are compared with how long something has lasted: shortened too
 * @throws {SyntaxError} when it is no PromQL
 */
export function scaleExpr(expr: string, factor: number, ages: readonly number[] = []): string {
  const edits: { readonly from: number; readonly to: number; readonly text: string }[] = [];
  parser.parse(expr).iterate({
    enter({ name, from, to, type }) {
      const text = expr.slice(from, to);
      if (type.isError)
        throw new SyntaxError(`Cannot read the expression: '${expr.slice(Math.max(0, from - 20), to + 20)}'`);
      if (name === 'NumberDurationLiteralInDurationContext')
        edits.push({ from, to, text: scaleDuration(text, factor) });
      if (name === 'NumberDurationLiteral' && ages.includes(Number(text))) {
        edits.push({ from, to, text: String(Number(text) / factor) });
      }
    },
  });
  return edits.reduceRight((result, { from, to, text }) => result.slice(0, from) + text + result.slice(to), expr);
}

/** Ranges that an expression looks at, in milliseconds. */
export function rangesOf(expr: string): readonly number[] {
  const ranges: number[] = [];
  parser.parse(expr).iterate({
    enter({ name, from, to }) {
      if (name === 'NumberDurationLiteralInDurationContext') ranges.push(parseDuration(expr.slice(from, to)));
    },
  });
  return ranges;
}

/** What the rules take for now, in New York: a drill is the same whenever it is. */
export interface Clock {
  readonly hour: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

/** What is computed of the clock, in all rules of a file. */
export function setClock(file: string, { hour, weekday }: Clock): string {
  const set: Readonly<Record<string, string>> = {
    'newyork:clock:hours': `vector(${hour})`,
    'newyork:clock:weekday': `vector(${weekday})`,
  };
  const { groups } = parse(file) as RuleFile;
  const changed = groups.map((group) => ({
    ...group,
    rules: group.rules.map((rule) => ({ ...rule, expr: set[rule.record ?? ''] ?? rule.expr })),
  }));
  return stringify({ groups: changed }, { lineWidth: 0 });
}

interface RuleFile {
  readonly groups: readonly { readonly interval: string; readonly rules: readonly Rule[] }[];
}
interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly keep_firing_for?: string;
}

/** @param agesOf what is compared with an age, by the name of the alert */
export function scaleRules(file: string, factor: number, agesOf: Readonly<Record<string, readonly number[]>>): string {
  const { groups } = parse(file) as RuleFile;
  const scaled = groups.map((group) => ({
    ...group,
    interval: scaleDuration(group.interval, factor),
    rules: group.rules.map((rule) => ({
      ...rule,
      expr: scaleExpr(rule.expr, factor, agesOf[rule.alert ?? ''] ?? []),
      ...(rule.for === undefined ? {} : { for: scaleDuration(rule.for, factor) }),
      ...(rule.keep_firing_for === undefined ? {} : { keep_firing_for: scaleDuration(rule.keep_firing_for, factor) }),
    })),
  }));
  return stringify({ groups: scaled }, { lineWidth: 0 });
}

interface Route {
  readonly routes?: readonly Route[];
  readonly [setting: string]: unknown;
}
interface Routing {
  readonly route: Route;
  readonly time_intervals: readonly { readonly name: string }[];
  readonly [part: string]: unknown;
}

const routeTimes = ['group_wait', 'group_interval', 'repeat_interval'] as const;

/** Waits, and hours that are always open: a drill at night must show whom a warning reaches, too. */
export function scaleRouting(file: string, factor: number): string {
  const scaleRoute = ({ routes, ...route }: Route): Route => ({
    ...route,
    ...Object.fromEntries(
      routeTimes.flatMap((name) => (name in route ? [[name, scaleDuration(String(route[name]), factor)]] : [])),
    ),
    ...(routes === undefined ? {} : { routes: routes.map(scaleRoute) }),
  });
  const routing = parse(file) as Routing;
  return stringify(
    {
      ...routing,
      route: scaleRoute(routing.route),
      time_intervals: routing.time_intervals.map(({ name }) => ({
        name,
        time_intervals: [{ weekdays: ['sunday:saturday'] }],
      })),
    },
    { lineWidth: 0 },
  );
}
