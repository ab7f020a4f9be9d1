import { stringify } from 'yaml';
import type { Alert, AlertCases, Firing } from './alert.ts';
import { business } from './business.ts';

/** Rule groups, by name. */
export const groups: Readonly<Record<string, readonly Alert[]>> = { business };

/** Seconds between evaluations. */
const interval = '30s';
const scrapeInterval = '1m';

export const runbookOf = ({ name }: Alert): string => `alerts/runbooks/${name}.md`;

const labelsOf = ({ severity, type, plugin }: Alert): Record<string, string> => ({
  severity,
  alert_type: type,
  service: plugin,
});

/** The file that Prometheus loads. */
export function toRulesFile(): string {
  const content = {
    groups: Object.entries(groups).map(([name, alerts]) => ({
      name: `returnit-${name}`,
      interval,
      rules: alerts.map((alert) => ({
        alert: alert.name,
        expr: alert.expr,
        for: alert.for,
        labels: labelsOf(alert),
        annotations: { summary: alert.summary, description: alert.description, runbook: runbookOf(alert) },
      })),
    })),
  };
  return `# Written by alerts/write.ts from alerts/*.ts.\n${stringify(content, { lineWidth: 0 })}`;
}

/** The file that `promtool test rules` runs: all cases of all alerts. */
export function toTestFile(rulesFile: string): string {
  const tests = Object.values(groups).flatMap((alerts) => alerts.flatMap(testsOf));
  return stringify({ rule_files: [rulesFile], evaluation_interval: interval, tests }, { lineWidth: 0 });
}

function testsOf(alert: Alert): object[] {
  const { fires, quiet, boundary, resolves }: AlertCases = alert.cases;
  const test = (what: string, samples: object, checks: object): object => ({
    name: `${alert.name} ${what}`,
    interval: scrapeInterval,
    input_series: Object.entries(samples).map(([series, values]) => ({ series, values })),
    ...checks,
  });
  const silent = (at: string): object => ({ eval_time: at, alertname: alert.name, exp_alerts: [] });
  const loud = (at: string, alerts: readonly Firing[]): object => ({
    eval_time: at,
    alertname: alert.name,
    exp_alerts: alerts.map(({ labels, description }) => ({
      exp_labels: { ...labels, ...labelsOf(alert) },
      exp_annotations: { summary: alert.summary, description, runbook: runbookOf(alert) },
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
