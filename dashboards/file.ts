import { toDashboard } from './grafana.ts';
import type { DashboardDefinition } from './panel.ts';

/** A dashboard's file, as it is committed. */
export function toFile(definition: DashboardDefinition): string {
  return `${JSON.stringify(toDashboard(definition), null, 2)}\n`;
}
