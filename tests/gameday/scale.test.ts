import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { projectDir } from '../support/project-copy.ts';
import { parseDuration, rangesOf, scaleDuration, scaleExpr, scaleRouting, scaleRules, setClock } from './scale.ts';
import { agesOf, scaledThresholds, timeThresholds, unscaledThresholds } from './time-thresholds.ts';

describe('parseDuration()', () => {
  it("reads Prometheus' durations", () => {
    const read = ['0s', '5m', '1h30m', '300s', '1d', '3d', '1w', '500ms', '1m500ms', '1y'].map(parseDuration);
    assert.deepEqual(
      read,
      [0, 300_000, 5_400_000, 300_000, 86_400_000, 259_200_000, 604_800_000, 500, 60_500, 31_536_000_000],
    );
  });

  it('refuses what is none', () => {
    for (const text of ['', '5', 'm5', '30m1h', '1.5m', '5 m', '-5m', '5min']) {
      assert.throws(() => parseDuration(text), { name: 'RangeError', message: `Cannot read the duration '${text}'` });
    }
  });
});

describe('scaleDuration()', () => {
  it('divides, in milliseconds where it must', () => {
    assert.equal(scaleDuration('5m', 20), '15s');
    assert.equal(scaleDuration('15s', 20), '750ms');
    assert.equal(scaleDuration('3d', 20), '12960s');
    assert.equal(scaleDuration('5m', 1), '300s');
    assert.equal(scaleDuration('1m', 7), '8571ms');
  });

  it('keeps nothing nothing, and something something', () => {
    assert.equal(scaleDuration('0m', 20), '0s');
    assert.equal(scaleDuration('1ms', 60), '1ms');
  });
});

describe('scaleExpr()', () => {
  it('shortens ranges, offsets and subqueries', () => {
    assert.equal(
      scaleExpr('rate(a_total[5m]) == 0 and rate(a_total[1h] offset 300s) > 1', 20),
      'rate(a_total[15s]) == 0 and rate(a_total[180s] offset 15s) > 1',
    );
    assert.equal(
      scaleExpr('max_over_time(rate(a_total[2m])[1h:30s])', 20),
      'max_over_time(rate(a_total[6s])[180s:1500ms])',
    );
  });

  it('leaves names, label values, strings and numbers as they are', () => {
    const expr = `slo:sli_error:increase5m{window="5m",queue=~'a[5m]'} / on (job) (b_30m > 300) # [5m]`;
    assert.equal(scaleExpr(expr, 20), expr);
  });

  it('shortens a number that is an age, and no other', () => {
    assert.equal(scaleExpr('age_seconds > 300 and jobs > 20', 20, [300]), 'age_seconds > 15 and jobs > 20');
    assert.equal(scaleExpr('age_seconds{queue="300"} > 300', 8, [300]), 'age_seconds{queue="300"} > 37.5');
  });

  it('refuses what is no PromQL', () => {
    assert.throws(() => scaleExpr('rate(a_total[5m]', 20), { name: 'SyntaxError' });
  });
});

interface Rule {
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly keep_firing_for?: string;
  readonly [other: string]: unknown;
}
interface Rules {
  readonly groups: readonly { readonly interval: string; readonly rules: readonly Rule[] }[];
}

describe("scaleRules(), of the project's rules", () => {
  const file = readFileSync(join(projectDir, 'alerts/returnit.rules.yml'), 'utf8');
  const before = (parse(file) as Rules).groups;
  const after = (parse(scaleRules(file, 20, agesOf)) as Rules).groups;
  const ms = (text: string | undefined): number | undefined => (text === undefined ? undefined : parseDuration(text));
  const part = (value: number | undefined): number | undefined => (value === undefined ? undefined : value / 20);

  it('divides every time by the factor', () => {
    assert.equal(after.length, before.length);
    assert.ok(before.flatMap(({ rules }) => rules.flatMap(({ expr }) => rangesOf(expr))).length > 50);
    for (const [index, group] of before.entries()) {
      const scaled = after[index];
      assert.equal(ms(scaled?.interval), part(ms(group.interval)));
      for (const [place, rule] of group.rules.entries()) {
        const { expr = '', for: lasting, keep_firing_for: kept }: Partial<Rule> = scaled?.rules[place] ?? {};
        assert.deepEqual(rangesOf(expr), rangesOf(rule.expr).map(part), rule.alert ?? rule.expr);
        assert.deepEqual(
          [ms(lasting), ms(kept)],
          [part(ms(rule.for)), part(ms(rule.keep_firing_for))],
          rule.alert ?? rule.expr,
        );
      }
    }
  });

  it('changes nothing else', () => {
    const withoutTimes = (groups: Rules['groups']) =>
      groups.map(({ rules }) => rules.map(({ expr: _expr, for: _for, keep_firing_for: _keep, ...others }) => others));
    assert.deepEqual(withoutTimes(after), withoutTimes(before));
  });

  it('shortens the ages that are named, each in its alert', () => {
    const exprOf = (groups: Rules['groups'], name: string): string =>
      groups.flatMap(({ rules }) => rules).find(({ alert }) => alert === name)?.expr ?? '';
    // What is compared with it, or how far is looked ahead.
    const holds = (age: number): RegExp => new RegExp(` > ${age}$|predict_linear\\([^,]+, ${age}\\)`);
    for (const [alert, [age = 0]] of Object.entries(agesOf)) {
      assert.match(exprOf(before, alert), holds(age));
      assert.match(exprOf(after, alert), holds(age / 20));
    }
  });

  it('knows of each threshold that is a time whether it is shortened', () => {
    const scaled = new Set<string>(Object.values(scaledThresholds));
    for (const name of timeThresholds) {
      assert.equal(Number(scaled.has(name)) + Number(name in unscaledThresholds), 1, `${name}: scaled, or why not`);
    }
    assert.deepEqual(
      [...scaled, ...Object.keys(unscaledThresholds)].filter((name) => !(timeThresholds as string[]).includes(name)),
      [],
    );
  });
});

describe("setClock(), of the project's rules", () => {
  const file = readFileSync(join(projectDir, 'alerts/returnit.rules.yml'), 'utf8');
  const rulesOf = (text: string): readonly Rule[] => (parse(text) as Rules).groups.flatMap(({ rules }) => rules);
  const asking = /\b(?:hour|day_of_week|day_of_month|day_of_year|days_in_month|minute|month|year|time)\(\)/;

  it('leaves no rule that asks what time it is', () => {
    assert.ok(rulesOf(file).some(({ expr }) => asking.test(expr)));
    for (const { alert, expr } of rulesOf(setClock(file, { hour: 3, weekday: 1 })))
      assert.doesNotMatch(expr, asking, alert ?? expr);
  });

  it('changes nothing else', () => {
    const before = rulesOf(file);
    const changed = rulesOf(setClock(file, { hour: 15, weekday: 2 })).filter(
      (rule, index) => JSON.stringify(rule) !== JSON.stringify(before[index]),
    );
    assert.deepEqual(changed, [
      { record: 'newyork:clock:hours', expr: 'vector(15)' },
      { record: 'newyork:clock:weekday', expr: 'vector(2)' },
    ]);
  });
});

describe("scaleRouting(), of the project's routes", () => {
  interface Route {
    readonly [name: string]: unknown;
    readonly routes?: readonly Route[];
  }
  const flatten = (route: Route): readonly Route[] => [route, ...(route.routes ?? []).flatMap(flatten)];
  const file = readFileSync(join(projectDir, 'alerts/alertmanager.yml'), 'utf8');
  const before = parse(file) as {
    route: Route;
    receivers: unknown;
    inhibit_rules: unknown;
    time_intervals: { name: string }[];
  };
  const after = parse(scaleRouting(file, 20)) as typeof before;

  it('divides every wait by the factor', () => {
    const times = ['group_wait', 'group_interval', 'repeat_interval'] as const;
    const all = flatten(before.route);
    assert.ok(all.length > 8);
    for (const [index, route] of flatten(after.route).entries()) {
      const original = all[index] ?? {};
      for (const time of times) {
        assert.equal(time in route, time in original);
        if (time in route) assert.equal(parseDuration(String(route[time])), parseDuration(String(original[time])) / 20);
      }
      assert.deepEqual([route['receiver'], route['matchers']], [original['receiver'], original['matchers']]);
    }
  });

  it('keeps who is told and what is held back, and opens the hours', () => {
    assert.deepEqual([after.receivers, after.inhibit_rules], [before.receivers, before.inhibit_rules]);
    assert.deepEqual(
      after.time_intervals.map(({ name }) => name),
      before.time_intervals.map(({ name }) => name),
    );
  });
});
