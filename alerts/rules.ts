import { stringify } from 'yaml';
import { casesOf, type Alert, type AlertCases, type Firing } from './alert.ts';
import { business } from './business.ts';
import { capacity } from './capacity.ts';
import { dashboardLink, dashboardTemplate } from './dashboard-link.ts';
import { database } from './database.ts';
import { http } from './http.ts';
import { ingest } from './ingest.ts';
import { jobs } from './jobs.ts';
import { meta } from './meta.ts';
import { node } from './node.ts';
import { plugins } from './plugins.ts';
import { recordings } from './recordings.ts';
import { resources } from './resources.ts';
import { storage } from './storage.ts';
import { evaluationMinutes, slo } from './slo.ts';

/** Rule groups, by name. */
export const groups: Readonly<Record<string, readonly Alert[]>> = {
  node,
  http,
  ...slo,
  database,
  jobs,
  ingest,
  plugins,
  capacity,
  resources,
  storage,
  business,
  meta,
};

/** Between evaluations. */
const interval = '30s';
const defaultStep = '1m';

export const runbookOf = ({ name, runbook = name }: Alert): string => `alerts/runbooks/${runbook}.md`;

const labelsOf = ({ severity, type, plugin }: Alert): Record<string, string> => ({
  severity,
  alert_type: type,
  service: plugin,
});

/** The file that Prometheus loads. @param only one group */
export function toRulesFile(only?: string): string {
  const content = {
    groups: Object.entries(groups)
      .filter(([name]) => only === undefined || name === only)
      .map(([name, alerts]) => ({
        name: `returnit-${name}`,
        interval,
        // A series is computed before the alerts that read it.
        rules: [
          ...(recordings[name] ?? []),
          ...alerts.map((alert) => ({
            alert: alert.name,
            expr: alert.expr,
            for: alert.for,
            ...(alert.keepFiringFor === undefined ? {} : { keep_firing_for: alert.keepFiringFor }),
            labels: labelsOf(alert),
            annotations: {
              summary: alert.summary,
              description: alert.description,
              runbook: runbookOf(alert),
              dashboard: dashboardTemplate(alert.name),
            },
          })),
        ],
      })),
  };
  return `# Written by alerts/write.ts from alerts/*.ts.\n${stringify(content, { lineWidth: 0 })}`;
}

/** The file that `promtool test rules` runs: all cases of a group's alerts. */
export function toTestFile(group: string, rulesFile: string): string {
  const tests = (groups[group] ?? []).flatMap((alert) => casesOf(alert).flatMap((cases) => testsOf(alert, cases)));
  const evaluated = group in slo ? `${evaluationMinutes}m` : interval;
  return stringify({ rule_files: [rulesFile], evaluation_interval: evaluated, tests }, { lineWidth: 0 });
}

function testsOf(alert: Alert, cases: AlertCases): object[] {
  const { of, step = defaultStep, fires, quiet, boundary, resolves } = cases;
  const test = (what: string, samples: object, checks: object): object => ({
    name: [alert.name, ...(of === undefined ? [] : [of]), what].join(' '),
    interval: step,
    input_series: Object.entries(samples).map(([series, values]) => ({ series, values })),
    ...checks,
  });
  const silent = (at: string): object => ({ eval_time: at, alertname: alert.name, exp_alerts: [] });
  const loud = (at: string, alerts: readonly Firing[]): object => ({
    eval_time: at,
    alertname: alert.name,
    exp_alerts: alerts.map(({ labels, description }) => ({
      // What a label's template makes is said by the case.
      exp_labels: { ...labelsOf(alert), ...labels },
      exp_annotations: {
        summary: alert.summary,
        description,
        runbook: runbookOf(alert),
        dashboard: dashboardLink(alert.name, labels),
      },
    })),
  });
  return [
    test('fires', fires.samples, { alert_rule_test: [loud(fires.at, fires.alerts)] }),
    test('stays quiet', quiet.samples, { alert_rule_test: [silent(quiet.at)] }),
    test('does not fire at its boundary', boundary.samples, { alert_rule_test: [silent(boundary.at)] }),
    test('resolves', resolves.samples, {
      alert_rule_test: [silent(resolves.at)],
      promql_expr_test: [
        {
          expr: `count(ALERTS{alertname="${alert.name}",alertstate="firing"})`,
          eval_time: resolves.firesAt,
          exp_samples: [{ labels: '{}', value: 1 }],
        },
      ],
    }),
  ];
}
