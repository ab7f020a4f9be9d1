import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';

const datasource = { type: 'prometheus', uid: '${datasource}' };

/** Each narrows those after it: where a node runs is told by its build. */
export function variables(): Builder<VariableModel>[] {
  const build = 'returnit_build_info';
  const environment = 'environment=~"$environment"';
  const region = 'region=~"$region"';
  const job = 'job=~"$job"';
  return [
    new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    labelVariable('environment', 'Environment', `label_values(${build}, environment)`),
    labelVariable('region', 'Region', `label_values(${build}{${environment}}, region)`),
    labelVariable('job', 'Job', `label_values(${build}{${environment}, ${region}}, job)`),
    labelVariable('instance', 'Node', `label_values(${build}{${environment}, ${region}, ${job}}, instance)`),
    labelVariable('plugin', 'Plugin', `label_values(returnit_plugin_capability_calls_total{${job}}, plugin)`).allValue(
      '.*',
    ),
  ];
}

/** Several may be chosen; at first all are. */
function labelVariable(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .current({ selected: true, text: 'All', value: '$__all' });
}
