/** From what a panel asks to what Grafana reads. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as grafana from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import { logLink, traceLink } from './links.ts';
import type { DashboardDefinition, Limits, PanelDefinition } from './panel.ts';
import { variables } from './variables.ts';

const datasource = { type: 'prometheus', uid: '${datasource}' };
const defaultWidth = 8;
const heights = { lines: 8, stacked: 8, number: 5, table: 8 } as const;
/** With one look at all dashboards, and links between them. */
const tag = 'returnit';

export function toDashboard(definition: DashboardDefinition): grafana.Dashboard {
  const builder = new grafana.DashboardBuilder(definition.title)
    .uid(definition.uid)
    .description(definition.description)
    .tags([tag])
    .readonly()
    .timezone('browser')
    .time({ from: `now-${definition.span ?? '1h'}`, to: 'now' })
    .refresh('30s')
    .tooltip(grafana.DashboardCursorSync.Crosshair)
    .link(
      new grafana.DashboardLinkBuilder('ReturnIt')
        .type(grafana.DashboardLinkType.Dashboards)
        .tags([tag])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    )
    .variables(variables());
  for (const row of definition.rows) {
    builder.withRow(new grafana.RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(toPanel(panel));
  }
  return builder.build();
}

function toPanel(panel: PanelDefinition): Builder<grafana.Panel> {
  if (panel.kind === 'number') return numberPanel(panel);
  if (panel.kind === 'table') return tablePanel(panel);
  return linesPanel(panel);
}

function linesPanel(panel: PanelDefinition): timeseries.PanelBuilder {
  const isStacked = panel.kind === 'stacked';
  const builder = new timeseries.PanelBuilder()
    .legend(
      new common.VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(common.LegendDisplayMode.Table)
        .placement(common.LegendPlacement.Bottom)
        .calcs(['mean', 'max', 'lastNotNull']),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending),
    )
    .lineWidth(1)
    .fillOpacity(isStacked ? 30 : 8)
    .stacking(
      new common.StackingConfigBuilder().mode(isStacked ? common.StackingMode.Normal : common.StackingMode.None),
    )
    .dataLinks([logLink(), traceLink()]);
  if (panel.limits !== undefined) {
    builder
      .thresholds(thresholdsOf(panel.limits))
      .thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed));
  }
  return withCommon(builder, panel, false);
}

function numberPanel(panel: PanelDefinition): stat.PanelBuilder {
  const builder = new stat.PanelBuilder()
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .graphMode(common.BigValueGraphMode.None);
  if (panel.limits !== undefined) builder.thresholds(thresholdsOf(panel.limits));
  return withCommon(builder, panel, true);
}

function tablePanel(panel: PanelDefinition): table.PanelBuilder {
  const builder = new table.PanelBuilder()
    .withTransformation({ id: 'organize', options: { excludeByName: { Time: true } } })
    .noValue('none');
  return withCommon(builder, panel, true);
}

type AnyPanel = timeseries.PanelBuilder | stat.PanelBuilder | table.PanelBuilder;

function withCommon<B extends AnyPanel>(builder: B, panel: PanelDefinition, isInstant: boolean): B {
  builder
    .id(panel.id)
    .title(panel.title)
    .description(panel.question)
    .datasource(datasource)
    .unit(panel.unit)
    .span(panel.width ?? defaultWidth)
    .height(heights[panel.kind ?? 'lines']);
  if (panel.min !== undefined) builder.min(panel.min);
  if (panel.max !== undefined) builder.max(panel.max);
  for (const [index, { expr, legend }] of panel.queries.entries()) {
    const query = new DataqueryBuilder()
      .datasource(datasource)
      .refId(String.fromCodePoint(65 + index))
      .expr(expr)
      .legendFormat(legend);
    if (isInstant) query.instant();
    else {
      query.range();
      // Points that lead to traces.
      if (expr.includes('_bucket{')) query.exemplar(true);
    }
    if (panel.kind === 'table') query.format(PromQueryFormat.Table);
    builder.withTarget(query);
  }
  return builder;
}

function thresholdsOf({ warning, critical, below }: Limits): grafana.ThresholdsConfigBuilder {
  const steps = below === true ? stepsBelow(warning, critical) : stepsAbove(warning, critical);
  return new grafana.ThresholdsConfigBuilder().mode(grafana.ThresholdsMode.Absolute).steps(steps);
}

function stepsAbove(warning: number | undefined, critical: number | undefined): grafana.Threshold[] {
  return [
    { value: null, color: 'green' },
    ...(warning === undefined ? [] : [{ value: warning, color: 'orange' }]),
    ...(critical === undefined ? [] : [{ value: critical, color: 'red' }]),
  ];
}

/** Red up to the critical value, orange up to the other. */
function stepsBelow(warning: number | undefined, critical: number | undefined): grafana.Threshold[] {
  return [
    { value: null, color: critical === undefined ? 'orange' : 'red' },
    ...(critical === undefined ? [] : [{ value: critical, color: warning === undefined ? 'green' : 'orange' }]),
    ...(warning === undefined ? [] : [{ value: warning, color: 'green' }]),
  ];
}
