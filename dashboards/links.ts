import { DashboardLinkBuilder } from '@grafana/grafana-foundation-sdk/dashboard';

/** What the data sources are called where they are provisioned. */
const uids = { logs: 'loki', traces: 'tempo' } as const;

function explore(source: keyof typeof uids, query: object): string {
  const uid = uids[source];
  const pane = {
    datasource: uid,
    queries: [{ refId: 'A', datasource: { type: uid, uid }, ...query }],
    // Grafana puts the panel's times in.
    range: { from: '__from', to: '__to' },
  };
  const panes = encodeURIComponent(JSON.stringify({ a: pane }))
    .replace('__from', '${__from}')
    .replace('__to', '${__to}')
    .replaceAll('__plugin', '${__field.labels.plugin}');
  return `/explore?schemaVersion=1&orgId=1&panes=${panes}`;
}

/** To the lines of a series' plugin; of all plugins where it has none. */
export function logLink(): DashboardLinkBuilder {
  return new DashboardLinkBuilder('Log lines')
    .url(explore('logs', { expr: '{service_name="returnit"} | plugin=~"__plugin.*"' }))
    .targetBlank(true);
}

/** To its traces: the slow and the failed ones are always kept. */
export function traceLink(): DashboardLinkBuilder {
  const query = '{ resource.service.name = "returnit" && span.returnit.plugin =~ "__plugin.*" }';
  return new DashboardLinkBuilder('Traces').url(explore('traces', { queryType: 'traceql', query })).targetBlank(true);
}
