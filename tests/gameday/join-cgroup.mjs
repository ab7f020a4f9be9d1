// Loaded into the core by `--import`: before anything else it is in its container, as a runtime would have put it there.
import { writeFileSync } from 'node:fs';

for (const folder of process.env.GAMEDAY_CGROUPS.split(':'))
  writeFileSync(`${folder}/cgroup.procs`, String(process.pid));
