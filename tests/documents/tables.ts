/** The README's long tables as the code has them: what they are for a newcomer to read, a test compares. */
import { errorCodes } from '#core/errors/codes.ts';
import { settings } from '#core/config/settings.ts';
import { thresholds } from '#core/config/thresholds.ts';
import { catalogue } from '#core/telemetry/catalogue.ts';
import { groups, runbookOf } from '../../alerts/rules.ts';
import { hostileOpen } from '../core/plugin-host/hostile-open.ts';

/** Lines of a table by the name that stands in the README's marker `<!-- table: name -->`. */
export const tables: Readonly<Record<string, () => readonly string[]>> = {
  settings: () =>
    toTable(
      ['variable', 'default', 'meaning'],
      Object.values(settings).map(({ variable, fallback, description }) => [
        code(variable),
        shownDefault(fallback),
        description,
      ]),
    ),
  errors: () =>
    toTable(
      ['code', 'status', 'title'],
      Object.entries(errorCodes).map(([name, { status, title }]) => [code(name), String(status), title]),
    ),
  alerts: () =>
    toTable(
      ['alert', 'for', 'severity', 'says'],
      Object.values(groups)
        .flat()
        .map((alert) => [`[${alert.name}](${runbookOf(alert)})`, alert.for, alert.severity, alert.summary]),
    ),
  thresholds: () =>
    toTable(
      ['threshold', 'is', 'of'],
      Object.entries(thresholds).map(([name, { value, unit, meaning }]) => [code(name), `${value} ${unit}`, meaning]),
    ),
  open: () => toTable(['a plugin can still', 'because'], Object.entries(hostileOpen)),
  ...Object.fromEntries(areas().map((area) => [`metrics ${area}`, () => metricTable(area)])),
};

/** Folders of the core that record metrics. */
export function areas(): readonly string[] {
  return [...new Set(catalogue.map(({ owner }) => owner))];
}

function metricTable(area: string): readonly string[] {
  const rows = catalogue
    .filter(({ owner }) => owner === area)
    .map(({ name, type, labels, help }) => [code(name), type, labels.map(code).join(' ') || '-', help]);
  return toTable(['metric', 'type', 'labels', 'meaning'], rows);
}

function shownDefault(value: string | number | boolean | null | readonly string[]): string {
  if (value === null || value === '' || (typeof value === 'object' && value.length === 0)) return '-';
  return code(String(value));
}

const code = (text: string): string => `\`${text}\``;

function toTable(header: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(escape).join(' | ')} |`;
  return [line(header), `|${header.map(() => '---').join('|')}|`, ...rows.map(line)];
}

function escape(cell: string): string {
  return cell.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
