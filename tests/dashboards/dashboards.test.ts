import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { catalogue } from '#core/telemetry/catalogue.ts';
import type { MetricDefinition } from '#core/telemetry/catalogue/definition.ts';
import { groups } from '../../alerts/rules.ts';
import { recordings } from '../../alerts/recordings.ts';
import { dashboards } from '../../dashboards/all.ts';
import { toFile } from '../../dashboards/file.ts';
import { projectDir as root } from '../support/project-copy.ts';
import type { Dashboard, Panel } from './dashboard.ts';
import { empty } from './empty.ts';
import { lint, rules } from './lint.ts';
import { readSelectors } from './promql.ts';

const folder = join(root, 'dashboards/json');
const files = readdirSync(folder);
const read = (file: string): Dashboard => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Dashboard;
const all = files.map(read);

type Declared = Pick<MetricDefinition, 'labels' | 'type'>;

function declaredMetrics(): ReadonlyMap<string, Declared> {
  const plugins = readdirSync(join(root, 'plugins'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const manifests = plugins.map(
    ({ name }) =>
      JSON.parse(readFileSync(join(root, 'plugins', name, 'plugin.json'), 'utf8')) as {
        metrics?: Record<string, Declared>;
      },
  );
  return new Map([
    ...catalogue.map((metric) => [metric.name, metric] as const),
    ...manifests.flatMap(({ metrics = {} }) => Object.entries(metrics)),
  ]);
}

const declared = declaredMetrics();
const recorded = new Set(
  Object.values(recordings)
    .flat()
    .map(({ record }) => record),
);
const targetLabels = ['job', 'instance', 'le'];
const ofPrometheus: ReadonlyMap<string, readonly string[]> = new Map([
  ['up', []],
  ['ALERTS', ['alertstate', 'alertname', 'severity', 'service']],
]);

function definitionOf(metric: string): Declared | undefined {
  return declared.get(metric) ?? declared.get(metric.replace(/_(bucket|sum|count)$/, ''));
}

describe('dashboards', () => {
  it('are what dashboards/write.ts makes of them', () => {
    assert.deepEqual(files.toSorted(), dashboards.map(({ uid }) => `${uid}.json`).toSorted());
    for (const dashboard of dashboards) {
      assert.equal(readFileSync(join(folder, `${dashboard.uid}.json`), 'utf8'), toFile(dashboard), dashboard.uid);
    }
  });

  for (const dashboard of all) {
    it(`${dashboard.uid} keeps to every rule`, () => {
      assert.deepEqual(lint(dashboard), []);
    });

    it(`${dashboard.uid} asks for metrics and labels that exist`, () => {
      for (const panel of dashboard.panels) {
        for (const { expr } of panel.targets ?? []) {
          for (const { metric, matchers } of readSelectors(expr)) {
            const labels = definitionOf(metric)?.labels ?? ofPrometheus.get(metric);
            assert.ok(labels !== undefined || recorded.has(metric), `${panel.title}: ${metric}`);
            for (const [, label = ''] of matchers.matchAll(/(\w+)(?:=~|!~|!=|=)/g)) {
              const isKnown = labels === undefined || labels.includes(label) || targetLabels.includes(label);
              assert.ok(isKnown, `${panel.title}: ${metric} has no label "${label}"`);
            }
          }
        }
      }
    });
  }

  it('have the panels that may be empty in a run', () => {
    const names = dashboards.flatMap(({ uid, rows }) =>
      rows.flatMap(({ panels }) => panels.map(({ id }) => `${uid} ${id}`)),
    );
    assert.deepEqual(
      Object.keys(empty).filter((name) => !names.includes(name)),
      [],
    );
  });

  it('show what each alert is about, in one panel', () => {
    const shown = dashboards.flatMap(({ rows }) =>
      rows.flatMap(({ panels }) => panels.flatMap(({ alerts = [] }) => alerts)),
    );
    const names = Object.values(groups)
      .flat()
      .map(({ name }) => name);
    assert.deepEqual(shown.toSorted(), names.toSorted());
  });
});

describe('lint()', () => {
  const [well] = all;
  assert.ok(well !== undefined);
  const [, first] = well.panels;
  assert.ok(first !== undefined);

  const withPanel = (change: Partial<Panel>): Dashboard => ({
    ...well,
    panels: [{ ...first, ...change }, ...well.panels.slice(2)],
  });
  const withQuery = (expr: string): Dashboard => {
    const [target] = first.targets ?? [];
    assert.ok(target !== undefined);
    return withPanel({ targets: [{ ...target, expr }] });
  };
  const withVariable = (name: string, change: object): Dashboard => ({
    ...well,
    templating: { list: well.templating.list.map((one) => (one.name === name ? { ...one, ...change } : one)) },
  });
  const nodes = 'job=~"$job",instance=~"$instance"';
  const elsewhere = { uid: 'abc' };

  const planted: Readonly<Record<string, Dashboard>> = {
    'template-datasource-rule': withVariable('datasource', { query: 'loki' }),
    'template-job-rule': withVariable('job', { multi: false }),
    'template-instance-rule': withVariable('instance', { datasource: elsewhere }),
    'template-label-promql-rule': withVariable('plugin', { query: 'label_values(plugin' }),
    'template-on-time-change-reload-rule': withVariable('region', { refresh: 1 }),
    'panel-datasource-rule': withPanel({ datasource: elsewhere }),
    'panel-title-description-rule': withPanel({ description: '' }),
    'panel-units-rule': withPanel({ fieldConfig: { defaults: { unit: 'parsecs' } } }),
    'panel-no-targets-rule': withPanel({ targets: [] }),
    'target-promql-rule': withQuery(`sum(rate(up{${nodes}}[5m])`),
    'target-logql-rule': withQuery('{job="x"} |= "error"'),
    'target-logql-auto-rule': withQuery(`rate(up{${nodes}}[$__auto])`),
    'target-rate-interval-rule': withQuery(`rate(returnit_jobs_total{${nodes}}[1m])`),
    'target-job-rule': withQuery('up{instance=~"$instance"}'),
    'target-instance-rule': withQuery('up{job=~"$job"}'),
    'target-counter-agg-rule': withQuery(`sum(returnit_jobs_total{${nodes}})`),
    'uneditable-dashboard-rule': { ...well, editable: true },
    'stable-ids': { ...well, panels: [...well.panels, { ...first, gridPos: { x: 0, y: 900, w: 1, h: 1 } }] },
    'schema-version': { ...well, schemaVersion: 41 },
    'one-legend': withPanel({ type: 'timeseries', options: { legend: { displayMode: 'list' } } }),
    'legends-named': withPanel({ targets: (first.targets ?? []).map((target) => ({ ...target, legendFormat: '' })) }),
    'points-to-traces': withPanel({
      type: 'timeseries',
      targets: [
        {
          refId: 'A',
          expr: `histogram_quantile(0.95, sum by (le) (rate(returnit_job_wait_seconds_bucket{${nodes}}[5m])))`,
        },
      ],
    }),
    'lines-to-logs-and-traces': withPanel({
      type: 'timeseries',
      fieldConfig: { defaults: { unit: 's', links: [{ title: 'Traces', url: '/explore' }] } },
    }),
    'no-overlap': withPanel({ gridPos: { x: 0, y: 0, w: 24, h: 9 } }),
  };

  it('has a planted mistake for each of its rules', () => {
    assert.deepEqual(Object.keys(planted).toSorted(), Object.keys(rules).toSorted());
  });

  for (const [rule, dashboard] of Object.entries(planted)) {
    it(`finds what ${rule} is about`, () => {
      assert.ok(
        lint(dashboard).some((finding) => finding.rule === rule),
        JSON.stringify(lint(dashboard)),
      );
    });
  }
});
