import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { median, type BenchResult } from './report.ts';
import { startBenchPlatform } from './platform.ts';

interface RunResult {
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us?: number;
}

const inFlight = 64;
const calls = 100_000;
const rounds = 5;

/** An empty call from a plugin to the core and back, through all of invoke(), against a function call over Node's own IPC. */
export async function benchCapability(): Promise<BenchResult> {
  const platform = await startBenchPlatform({ plugins: [path.join(import.meta.dirname, 'plugins/caller')] });
  const ours: RunResult[] = [];
  const baseline: RunResult[] = [];
  try {
    const call = (run: object): Promise<RunResult> => platform.post<RunResult>('/caller', run);
    await call({ calls, inFlight });
    for (let round = 0; round < rounds; round += 1) {
      ours.push(await call({ calls, inFlight }));
      baseline.push(await runIpc({ calls, inFlight }));
    }
    const single = await call({ calls: 20_000, inFlight: 1 });
    const ipcSingle = await runIpc({ calls: 20_000, inFlight: 1 });
    const rate = (results: readonly RunResult[]): number => median(results.map(({ seconds }) => calls / seconds));
    const [oursRate, baselineRate] = [rate(ours), rate(baseline)];
    return {
      bench: 'capability',
      unit: 'calls/s',
      ours: oursRate,
      baseline: baselineRate,
      ratio: oursRate / baselineRate,
      figures: {
        p50_us_one_in_flight: single.p50Us,
        baseline_p50_us_one_in_flight: ipcSingle.p50Us,
        p50_us_64_in_flight: median(ours.map(({ p50Us }) => p50Us)),
        baseline_p50_us_64_in_flight: median(baseline.map(({ p50Us }) => p50Us)),
      },
    };
  } finally {
    await platform.stop();
  }
}

async function runIpc(run: { readonly calls: number; readonly inFlight: number }): Promise<RunResult> {
  const child = fork(path.join(import.meta.dirname, 'ipc-child.ts'), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const answers: Readonly<Record<string, (args: unknown) => unknown>> = { 'cache.get': () => ({}) };
  const { promise, resolve } = Promise.withResolvers<RunResult>();
  child.on('message', (message: { id: number; method: string; args: unknown } | RunResult) => {
    if ('seconds' in message) resolve(message);
    else child.send({ id: message.id, value: answers[message.method]?.(message.args) });
  });
  child.send(run);
  const result = await promise;
  child.disconnect();
  await once(child, 'exit');
  return result;
}
