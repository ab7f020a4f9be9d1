/** The rules of Grafana's dashboard-linter, and ours: what a dashboard does not keep to, in words. */
import * as units from '@grafana/grafana-foundation-sdk/units';
import { drawn, type Dashboard, type Panel, type Target, type Variable } from './dashboard.ts';
import { rateInterval, readSelectors, type Selector } from './promql.ts';

export interface Finding {
  readonly rule: string;
  readonly where: string;
}

/** What is not asked of each node: what is recorded over all of them, and what Prometheus says of itself. */
export const withoutInstance: Readonly<Record<string, string>> = {
  'plugin:': 'recorded over all nodes',
  'slo:': 'recorded over all nodes',
  'resource:': 'recorded over all nodes',
  ALERTS: 'what fires may be about no node',
};

type Rule = (dashboard: Dashboard) => readonly string[];

const unitNames = new Set<unknown>(Object.values(units));

const variable = (dashboard: Dashboard, name: string): Variable | undefined =>
  dashboard.templating.list.find((one) => one.name === name);
const targetsOf = (panel: Panel): readonly Target[] => panel.targets ?? [];
const named = (panel: Panel): string => `panel ${panel.id} "${panel.title ?? ''}"`;

function eachPanel(isWrong: (panel: Panel) => boolean): Rule {
  return (dashboard) => drawn(dashboard).filter(isWrong).map(named);
}

function eachTarget(isWrong: (target: Target) => boolean): Rule {
  return (dashboard) =>
    drawn(dashboard).flatMap((panel) =>
      targetsOf(panel)
        .filter(isWrong)
        .map(({ refId }) => `${named(panel)} ${refId}`),
    );
}

/** Of a query that can be read; one that cannot has a rule of its own. */
function selectorsOf({ expr }: Target): readonly Selector[] {
  try {
    return readSelectors(expr);
  } catch {
    return [];
  }
}

const eachSelector = (isWrong: (selector: Selector) => boolean): Rule =>
  eachTarget((target) => selectorsOf(target).some(isWrong));

function hasVariable(name: string): Rule {
  return (dashboard) => {
    const found = variable(dashboard, name);
    const isWell = found?.type === 'query' && found.datasource?.uid === '${datasource}' && found.multi === true;
    return isWell ? [] : [`variable "${name}"`];
  };
}

const queriesOf = ({ templating }: Dashboard): readonly Variable[] =>
  templating.list.filter(({ type }) => type === 'query');
const needsInstance = ({ metric }: Selector): boolean =>
  !Object.keys(withoutInstance).some((prefix) => metric.startsWith(prefix));
const counting = new Set(['rate', 'irate', 'increase']);
const isCounter = ({ metric }: Selector): boolean => /_(total|count|sum|bucket)$/.test(metric);

function isPromQL({ expr }: Target): boolean {
  try {
    return readSelectors(expr).length > 0;
  } catch {
    return false;
  }
}

function queryText(query: unknown): string {
  return typeof query === 'string' ? query : '';
}

/** By the name that dashboard-linter gives it; those without one there are at the end. */
export const rules: Readonly<Record<string, Rule>> = {
  'template-datasource-rule': (dashboard) => {
    const found = variable(dashboard, 'datasource');
    return found?.type === 'datasource' && found.query === 'prometheus' && found.label === 'Data source'
      ? []
      : ['variable "datasource"'];
  },
  'template-job-rule': hasVariable('job'),
  'template-instance-rule': hasVariable('instance'),
  'template-label-promql-rule': (dashboard) =>
    queriesOf(dashboard)
      .filter(({ query }) => !/^label_values\([a-z][\w:]*(\{.*\})?, \w+\)$/.test(queryText(query)))
      .map(({ name }) => `variable "${name}"`),
  'template-on-time-change-reload-rule': (dashboard) =>
    queriesOf(dashboard)
      .filter(({ refresh }) => refresh !== 2)
      .map(({ name }) => `variable "${name}"`),
  'panel-datasource-rule': eachPanel(
    (panel) =>
      panel.datasource?.uid !== '${datasource}' ||
      targetsOf(panel).some(({ datasource }) => datasource?.uid !== '${datasource}'),
  ),
  'panel-title-description-rule': eachPanel(
    ({ title = '', description = '' }) => title === '' || !/[?]|\.$/.test(description),
  ),
  'panel-units-rule': eachPanel(({ fieldConfig }) => !unitNames.has(fieldConfig?.defaults.unit ?? '')),
  'panel-no-targets-rule': eachPanel((panel) => targetsOf(panel).length === 0),
  'target-promql-rule': eachTarget((target) => !isPromQL(target)),
  // No panel asks Loki: lines are reached by links. A query for it is no PromQL.
  'target-logql-rule': eachTarget(({ expr }) => /\|[=~]|\| ?(json|logfmt)/.test(expr)),
  'target-logql-auto-rule': eachTarget(({ expr }) => expr.includes('$__auto')),
  'target-rate-interval-rule': eachSelector(
    ({ within, range }) => (within[0] === 'rate' || within[0] === 'irate') && range !== rateInterval && range !== '5m',
  ),
  'target-job-rule': eachSelector(({ metric, matchers }) => metric !== 'ALERTS' && !matchers.includes('job=~".*"')),
  'target-instance-rule': eachSelector(
    (selector) => needsInstance(selector) && !/instance=~"\.\*"/.test(selector.matchers) && !isCapacity(selector),
  ),
  'target-counter-agg-rule': eachSelector(
    (selector) => isCounter(selector) && !selector.metric.includes(':') && !counting.has(selector.within[0] ?? ''),
  ),
  'uneditable-dashboard-rule': ({ editable }) => (editable ? ['the dashboard'] : []),
  'stable-ids': ({ uid, panels }) => {
    const ids = panels.flatMap(({ id, type }) => (type === 'row' ? [] : [id]));
    return new Set(ids).size === ids.length && /^returnit-[a-z]+$/.test(uid) ? [] : ['the dashboard'];
  },
  'schema-version': ({ schemaVersion }) => (schemaVersion === 42 ? [] : ['the dashboard']),
  'one-legend': eachPanel(
    ({ type, options }) =>
      type === 'timeseries' &&
      JSON.stringify(options?.legend) !==
        '{"displayMode":"table","placement":"bottom","showLegend":true,"calcs":["mean","max","lastNotNull"]}',
  ),
  'legends-named': eachTarget(({ legendFormat = '' }) => legendFormat === ''),
  'points-to-traces': eachPanel(
    (panel) =>
      panel.type === 'timeseries' &&
      targetsOf(panel).some(({ expr, exemplar }) => expr.includes('_bucket{') && exemplar !== true),
  ),
  'lines-to-logs-and-traces': eachPanel(
    ({ type, fieldConfig }) =>
      type === 'timeseries' &&
      !['Log lines', 'Traces'].every((title) => fieldConfig?.defaults.links?.some((link) => link.title === title)),
  ),
  'no-overlap': ({ panels }) =>
    panels.flatMap((panel, index) =>
      panels
        .slice(index + 1)
        .filter((other) => overlap(panel, other))
        .map(named),
    ),
};

const capacityGauges = new Set(['returnit_live_connections', 'returnit_http_active_users']);

/** Of what the platform is laid out for, all nodes together count. */
function isCapacity({ matchers, range, metric }: Selector): boolean {
  return !matchers.includes('instance') && (range === '5m' || capacityGauges.has(metric));
}

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

export function lint(dashboard: Dashboard): readonly Finding[] {
  return Object.entries(rules).flatMap(([rule, check]) => check(dashboard).map((where) => ({ rule, where })));
}
