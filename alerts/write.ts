/** Writes what Prometheus loads: `node bin/run.mjs alerts/write.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toRulesFile } from './rules.ts';

writeFileSync(join(import.meta.dirname, 'returnit.rules.yml'), toRulesFile());
