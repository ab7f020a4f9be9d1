import autocannon from 'autocannon';
import { startHttpTargets, type HttpTarget } from './http-targets.ts';
import { cpuOfPostgres, cpuOfTree } from './process-cpu.ts';
import { median, type BenchResult } from './report.ts';

type Side = 'ours' | 'baseline';

interface Round {
  readonly load: autocannon.Result;
  /** Of the core and its plugins' processes, or of the baseline's, for each request. */
  readonly cpuUs: number;
  readonly postgresCpuUs: number;
}

const connections = 32;
const rounds = 5;
const roundSeconds = 8;
/** A number, not a time: on a busy machine, too, the code is compiled before it is measured. */
const warmUpRequests = 10_000;

/** Authenticated GET of one order through everything, against the same query in a bare Koa handler, turn by turn. */
export async function benchHttp(): Promise<BenchResult> {
  const targets = await startHttpTargets();
  try {
    await run(targets.ours, targets.token, { amount: warmUpRequests });
    await run(targets.baseline, targets.token, { amount: warmUpRequests });
    const results = { ours: [] as Round[], baseline: [] as Round[] };
    for (let round = 0; round < rounds; round += 1) {
      for (const side of ['ours', 'baseline'] as const)
        results[side].push(await run(targets[side], targets.token, { duration: roundSeconds }));
    }
    return toResult(results);
  } finally {
    await targets.stop();
  }
}

async function run(
  { url, pid }: HttpTarget,
  token: string,
  length: { readonly amount: number } | { readonly duration: number },
): Promise<Round> {
  const before = { own: cpuOfTree(pid), postgres: cpuOfPostgres() };
  const load = await autocannon({
    url,
    connections,
    ...length,
    headers: { authorization: `Bearer ${token}` },
  });
  const requests = load['2xx'];
  return {
    load,
    cpuUs: (cpuOfTree(pid) - before.own) / requests,
    postgresCpuUs: (cpuOfPostgres() - before.postgres) / requests,
  };
}

function toResult(results: Readonly<Record<Side, readonly Round[]>>): BenchResult {
  for (const [side, runs] of Object.entries(results)) {
    const failed = runs.reduce((sum, { load }) => sum + load.non2xx + load.errors, 0);
    if (failed > 0) throw new Error(`${side} answered ${failed} requests with something else than 200`);
  }
  const middle = (side: Side, of: (round: Round) => number): number => median(results[side].map(of));
  const rate = (side: Side): number => middle(side, ({ load }) => load.requests.average);
  const p99 = (side: Side): number => middle(side, ({ load }) => load.latency.p99);
  const cpu = (side: Side): number => middle(side, ({ cpuUs }) => cpuUs);
  const allCpu = (side: Side): number => middle(side, ({ cpuUs, postgresCpuUs }) => cpuUs + postgresCpuUs);
  return {
    bench: 'http',
    unit: 'requests/s',
    ours: rate('ours'),
    baseline: rate('baseline'),
    ratio: rate('ours') / rate('baseline'),
    figures: {
      p50_ms: middle('ours', ({ load }) => load.latency.p50),
      baseline_p50_ms: middle('baseline', ({ load }) => load.latency.p50),
      p99_ms: p99('ours'),
      baseline_p99_ms: p99('baseline'),
      p99_ratio: p99('ours') / p99('baseline'),
      cpu_us_per_request: cpu('ours'),
      baseline_cpu_us_per_request: cpu('baseline'),
      cpu_ratio: cpu('baseline') / cpu('ours'),
      cpu_us_per_request_with_postgres: allCpu('ours'),
      baseline_cpu_us_per_request_with_postgres: allCpu('baseline'),
      cpu_ratio_with_postgres: allCpu('baseline') / allCpu('ours'),
    },
  };
}
