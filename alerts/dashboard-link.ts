import { dashboards } from '../dashboards/all.ts';

/** Which panel shows what an alert is about, by the alert's name. */
const panels: ReadonlyMap<string, string> = new Map(
  dashboards.flatMap(({ uid, rows }) =>
    rows
      .flatMap(({ panels: all }) => all)
      .flatMap(({ id, alerts = [] }) => alerts.map((name) => [name, `/d/${uid}?viewPanel=${id}`] as const)),
  ),
);

/** Labels that a dashboard has a variable for. */
const variables = ['instance', 'plugin'] as const;

/** Path and query, to be put behind Grafana's address. @throws {Error} when no panel shows what the alert is about */
function panelOf(alert: string): string {
  const path = panels.get(alert);
  if (path === undefined) throw new Error(`Cannot link alert "${alert}" to a dashboard: no panel names it in 'alerts'`);
  return path;
}

/** Prometheus fills the variables in from the labels of what fires. */
export function dashboardTemplate(alert: string): string {
  const parts = variables.map((name) => `{{ with $labels.${name} }}&var-${name}={{ . | urlquery }}{{ end }}`);
  return `${panelOf(alert)}${parts.join('')}`;
}

/** What the template becomes for these labels. */
export function dashboardLink(alert: string, labels: Readonly<Record<string, string>>): string {
  const parts = variables.map((name) => {
    const value = labels[name];
    return value === undefined ? '' : `&var-${name}=${encodeURIComponent(value)}`;
  });
  return `${panelOf(alert)}${parts.join('')}`;
}
