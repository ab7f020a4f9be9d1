import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { median, type BenchResult } from './report.ts';

const root = path.resolve(import.meta.dirname, '../..');
const rounds = 5;

/** From `npm start` in an installed clone to ready: with an empty data folder (the baseline) and with one that exists (ours). */
export async function benchStart(): Promise<BenchResult> {
  const empty: number[] = [];
  const existing: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'returnit-bench-'));
    empty.push(await startOnce(dataDir));
    existing.push(await startOnce(dataDir));
    await rm(dataDir, { recursive: true, force: true });
  }
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
      slowest_s: Math.max(...empty, ...existing),
    },
  };
}

async function startOnce(dataDir: string): Promise<number> {
  const env = { PATH: process.env['PATH'], DATA_DIR: dataDir, HTTP_PORT: '0', MQTT_PORT: '0', OPS_PORT: '0' };
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
