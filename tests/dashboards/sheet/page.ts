/** One dashboard as a page without a server: its data and what draws it are in it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { DashboardDefinition, PanelDefinition } from '../../../dashboards/panel.ts';
import { empty } from '../empty.ts';
import type { Observed, Series } from '../observed.ts';

const seriesMax = 12;
const defaultWidth = 8;

export interface SheetSeries {
  readonly name: string;
  /** One for each time; null where there is none. */
  readonly values: readonly (number | null)[];
}

export interface SheetPanel extends Pick<PanelDefinition, 'title' | 'question' | 'unit' | 'limits' | 'min' | 'max'> {
  readonly kind: string;
  readonly width: number;
  readonly series: readonly SheetSeries[];
  readonly whyEmpty?: string;
}

export interface Sheet {
  readonly title: string;
  readonly description: string;
  /** Seconds. */
  readonly times: readonly number[];
  readonly endedAt: number;
  readonly rows: readonly { readonly title: string; readonly panels: readonly SheetPanel[] }[];
}

const nameOf = (legend: string, labels: Readonly<Record<string, string>>): string =>
  legend.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_whole, label: string) => labels[label] ?? '');

function toSeries(legend: string, { metric, values }: Series, times: readonly number[]): SheetSeries {
  const byTime = new Map(values.map(([second, value]) => [Math.round(second), Number(value)]));
  return {
    name: nameOf(legend, metric),
    values: times.map((time) => {
      const value = byTime.get(Math.round(time));
      return value === undefined || !Number.isFinite(value) ? null : value;
    }),
  };
}

async function toPanel(panel: PanelDefinition, uid: string, observed: Observed): Promise<SheetPanel> {
  const found = await Promise.all(
    panel.queries.map(async ({ expr, legend }) =>
      (await observed.query(expr)).map((series) => toSeries(legend, series, observed.times)),
    ),
  );
  const whyEmpty = empty[`${uid} ${panel.id}`];
  const { title, question, unit, limits, min, max } = panel;
  return {
    title,
    question,
    unit,
    kind: panel.kind ?? 'lines',
    width: panel.width ?? defaultWidth,
    series: found
      .flat()
      .filter(({ values }) => values.some((value) => value !== null))
      .slice(0, seriesMax),
    ...(limits === undefined ? {} : { limits }),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(whyEmpty === undefined ? {} : { whyEmpty }),
  };
}

export async function toSheet(dashboard: DashboardDefinition, observed: Observed): Promise<Sheet> {
  const { uid, title, description } = dashboard;
  const rows = await Promise.all(
    dashboard.rows.map(async (row) => ({
      title: row.title,
      panels: await Promise.all(row.panels.map((panel) => toPanel(panel, uid, observed))),
    })),
  );
  return { title, description, times: observed.times, endedAt: observed.times.at(-1) ?? 0, rows };
}

/** What is inside a script element must not end it. */
const toScript = (value: unknown): string => JSON.stringify(value).replaceAll('<', String.raw`\u003c`);

export function toPage(sheet: Sheet): string {
  const uplot = join(createRequire(import.meta.url).resolve('uplot'), '..');
  const read = (file: string): string => readFileSync(file, 'utf8');
  const minutes = ((sheet.times.at(-1) ?? 0) - (sheet.times[0] ?? 0)) / 60;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${sheet.title}</title>
<style>${read(join(uplot, 'uPlot.min.css'))}${read(join(import.meta.dirname, 'sheet.css'))}</style>
<body>
<h1>${sheet.title}</h1>
<p>${sheet.description}</p>
<p class="label">This is not Grafana: the panels' queries, answered by Prometheus about a run of ${minutes.toFixed(1)} minutes, drawn with uPlot.</p>
<script>${read(join(uplot, 'uPlot.iife.min.js'))}</script>
<script>const sheet = ${toScript(sheet)};</script>
<script>${read(join(import.meta.dirname, 'draw.js'))}</script>
</body></html>
`;
}
