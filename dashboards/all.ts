import { api } from './api.ts';
import { budgets } from './budgets.ts';
import { business } from './business.ts';
import { database } from './database.ts';
import { ingest } from './ingest.ts';
import { jobs } from './jobs.ts';
import { node } from './node.ts';
import { overview } from './overview.ts';
import type { DashboardDefinition } from './panel.ts';
import { plugins } from './plugins.ts';

/** In the order in which one looks. */
export const dashboards: readonly DashboardDefinition[] = [
  overview,
  api,
  database,
  jobs,
  ingest,
  plugins,
  node,
  business,
  budgets,
];
