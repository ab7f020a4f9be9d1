/** Writes the files that Grafana reads: `node bin/run.mjs dashboards/write.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboards } from './all.ts';
import { toFile } from './file.ts';

for (const dashboard of dashboards) {
  writeFileSync(join(import.meta.dirname, 'json', `${dashboard.uid}.json`), toFile(dashboard));
}
