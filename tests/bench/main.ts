/** `npm run bench -- <name> [--json]`: our figure, a baseline beside it, and their ratio. */
import { benchCandidates } from './candidates.ts';
import { benchCapability } from './capability.ts';
import { benchDay } from './day.ts';
import { endStartedAtExit } from '../support/end-started.ts';
import { benchHistory } from './history.ts';
import { benchHttp } from './http.ts';
import { benchIngest } from './ingest.ts';
import { benchIsolation } from './isolation.ts';
import { benchKill } from './kill.ts';
import { benchLive } from './live.ts';
import { benchMemory } from './memory.ts';
import { benchOrders } from './orders.ts';
import { benchReplay } from './replay.ts';
import { formatResult, type BenchResult } from './report.ts';
import { benchStart } from './start.ts';
import { benchStorage } from './storage.ts';
import { benchTelemetry } from './telemetry.ts';

const benches: Readonly<Record<string, () => Promise<BenchResult>>> = {
  http: benchHttp,
  capability: benchCapability,
  start: benchStart,
  memory: benchMemory,
  isolation: benchIsolation,
  ingest: benchIngest,
  kill: benchKill,
  replay: benchReplay,
  live: benchLive,
  storage: benchStorage,
  history: benchHistory,
  orders: benchOrders,
  day: benchDay,
  candidates: benchCandidates,
  telemetry: benchTelemetry,
};

const flags = process.argv.slice(2);
const names = flags.filter((flag) => !flag.startsWith('--'));
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (names.length === 0 || unknown.length > 0) {
  console.error(`Cannot run ${unknown.join(', ') || 'nothing'}: choose from ${Object.keys(benches).join(', ')}`);
  process.exit(1);
}
endStartedAtExit();
for (const name of names) {
  const result = await benches[name]?.();
  if (result === undefined) continue;
  console.log(formatResult(result));
  if (flags.includes('--json')) console.log(JSON.stringify(result));
}
process.exit(0);
