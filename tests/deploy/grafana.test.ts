import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { catalogue } from '#core/telemetry/catalogue.ts';
import { drawn, type Dashboard } from '../dashboards/dashboard.ts';
import { projectDir as root } from '../support/project-copy.ts';
import { assertReachable, mountOf, read } from './deployed.ts';

/** Of Grafana's Explore. */
interface Pane {
  readonly datasource: string;
  readonly queries: readonly [
    { readonly datasource: { readonly type: string }; readonly expr?: string; readonly query?: string },
  ];
  readonly range: object;
}

describe('provisioning of Grafana', () => {
  const { datasources } = read('grafana/provisioning/datasources/datasources.yml');
  // oxlint-disable-next-line typescript/no-explicit-any -- as read()
  const byUid = new Map<string, any>(datasources.map((source: { uid: string }) => [source.uid, source]));

  it('has the sources that the dashboards name, where they are', () => {
    assert.deepEqual([...byUid.keys()], ['prometheus', 'tempo', 'loki', 'alertmanager']);
    for (const { type, uid, url, editable } of datasources) {
      assert.equal(type, uid);
      assert.equal(editable, false);
      assertReachable('grafana', url);
    }
    assert.equal(datasources.filter((source: { isDefault?: boolean }) => source.isDefault === true).length, 1);
  });

  it('has the sources that the links of panels lead to, with a query that can be read', () => {
    const folder = join(root, 'dashboards/json');
    const links = readdirSync(folder)
      .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Dashboard)
      .flatMap(drawn)
      .flatMap(({ fieldConfig }) => fieldConfig?.defaults.links ?? []);
    assert.ok(links.length > 100);
    const led = new Set<string>();
    for (const { url } of links) {
      const { pathname, searchParams } = new URL(url, 'http://grafana:3000');
      assert.equal(pathname, '/explore');
      const { a } = JSON.parse(searchParams.get('panes') ?? '') as Record<string, Pane>;
      assert.equal(byUid.get(a?.datasource ?? '')?.type, a?.queries[0]?.datasource.type);
      // Grafana puts these in, and leaves all else as it is.
      assert.deepEqual(a?.range, { from: '${__from}', to: '${__to}' });
      const { expr, query } = a?.queries[0] ?? {};
      assert.match(expr ?? query ?? '', /"returnit".*=~ ?"\$\{__field\.labels\.plugin\}\.\*"/);
      led.add(a?.datasource ?? '');
    }
    assert.deepEqual([...led].toSorted(), ['loki', 'tempo']);
  });

  it('leads from an exemplar to its trace, from there to log lines and metrics, and back', () => {
    const [exemplar] = byUid.get('prometheus').jsonData.exemplarTraceIdDestinations;
    assert.deepEqual([exemplar.name, exemplar.datasourceUid], ['trace_id', 'tempo']);
    const { tracesToLogsV2: logs, tracesToMetrics: metrics } = byUid.get('tempo').jsonData;
    assert.deepEqual([logs.datasourceUid, metrics.datasourceUid], ['loki', 'prometheus']);
    assert.match(logs.query, /trace_id = "\$\$\{__trace\.traceId\}"/);
    const [derived] = byUid.get('loki').jsonData.derivedFields;
    assert.deepEqual([derived.matcherRegex, derived.datasourceUid], ['trace_id', 'tempo']);
    assert.equal(byUid.get('prometheus').jsonData.alertmanagerUid, 'alertmanager');
  });

  it('asks for metrics and labels that there are', () => {
    const { tags, queries } = byUid.get('tempo').jsonData.tracesToMetrics;
    for (const { query } of queries as { query: string }[]) {
      const name = /([a-z_]+)\{/.exec(query)?.[1]?.replace(/_(count|bucket|sum)$/, '');
      const metric = catalogue.find((one) => one.name === name);
      assert.ok(metric !== undefined, query);
      for (const { value } of tags) assert.ok(metric.labels.includes(value), value);
    }
  });

  it('has no dollar that Grafana would take for a variable of its own', () => {
    const text = readFileSync(join(root, 'deploy/grafana/provisioning/datasources/datasources.yml'), 'utf8');
    const values = text.replaceAll(/^#.*$/gm, '');
    assert.doesNotMatch(values.replaceAll('$$', ''), /\$/);
  });

  it('looks for dashboards where they are mounted', () => {
    const { providers } = read('grafana/provisioning/dashboards/dashboards.yml');
    assert.equal(providers.length, 1);
    assert.equal(providers[0].options.path, mountOf('grafana', 'dashboards/json'));
    assert.equal(mountOf('grafana', 'deploy/grafana/provisioning'), '/etc/grafana/provisioning');
  });
});
