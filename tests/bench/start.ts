import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { median, type BenchResult } from './report.ts';

const root = path.resolve(import.meta.dirname, '../..');
const rounds = 5;

/**
 * From `npm start` in an installed clone to ready: with an empty data folder (the baseline) and with one that exists (ours).
 * The latter also with a receiver of traces, for which OpenTelemetry's SDK is loaded.
 */
export async function benchStart(): Promise<BenchResult> {
  const empty: number[] = [];
  const existing: number[] = [];
  const exporting: number[] = [];
  const receiver = await startOtlpReceiver();
  for (let round = 0; round < rounds; round += 1) {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'returnit-bench-'));
    empty.push(await startOnce(dataDir));
    existing.push(await startOnce(dataDir));
    exporting.push(await startOnce(dataDir, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }));
    await rm(dataDir, { recursive: true, force: true });
  }
  await receiver.stop();
  const [ours, baseline] = [median(existing), median(empty)];
  return {
    bench: 'start',
    unit: 's',
    ours,
    baseline,
    ratio: ours / baseline,
    figures: {
      empty_data_folder_s: baseline,
      existing_data_folder_s: ours,
      exporting_traces_s: median(exporting),
      slowest_s: Math.max(...empty, ...existing),
    },
  };
}

async function startOnce(dataDir: string, extra: Readonly<Record<string, string>> = {}): Promise<number> {
  const ports = { HTTP_PORT: '0', MQTT_PORT: '0', OPS_PORT: '0' };
  const env = { PATH: process.env['PATH'], DATA_DIR: dataDir, ...ports, ...extra };
  const startedAt = performance.now();
  const child = spawn(process.execPath, [path.join(root, 'bin/returnit.mjs'), 'start'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const chunk of child.stdout) if (String(chunk).includes('ReturnIt is ready')) break;
  const seconds = (performance.now() - startedAt) / 1000;
  child.stdout.resume();
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
  return seconds;
}
