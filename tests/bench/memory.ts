import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import autocannon from 'autocannon';
import { startBenchPlatform } from './platform.ts';
import type { BenchResult } from './report.ts';

const root = path.resolve(import.meta.dirname, '../..');
const loadSeconds = 60;
const settleMs = 2000;
const mebibyte = 1_048_576;

/** Resident memory of each plugin's process above that of an empty Node process, after start and after a minute of load. */
export async function benchMemory(): Promise<BenchResult> {
  const baseline = await measureEmptyNode();
  const names = ['orders', 'payments', 'drivers', 'tracking', 'notifications', 'webhooks'];
  const platform = await startBenchPlatform({ plugins: names.map((name) => path.join(root, 'plugins', name)) });
  try {
    await wait(settleMs);
    const started = await measurePlugins();
    const coreStarted = process.memoryUsage.rss() / mebibyte;
    await autocannon({
      url: `${platform.app.addresses.api}/orders?limit=20`,
      connections: 32,
      duration: loadSeconds,
      headers: { authorization: `Bearer ${platform.token}` },
    });
    const loaded = await measurePlugins();
    const worst = Math.max(...loaded);
    return {
      bench: 'memory',
      unit: 'MiB (largest plugin process after load)',
      ours: worst,
      baseline,
      ratio: worst / baseline,
      figures: {
        plugin_above_empty_node_mib: worst - baseline,
        plugin_after_start_mib: Math.max(...started),
        core_after_start_mib: coreStarted,
        core_after_load_with_load_generator_mib: process.memoryUsage.rss() / mebibyte,
      },
    };
  } finally {
    await platform.stop();
  }
}

async function measureEmptyNode(): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { stdio: 'ignore' });
  await wait(settleMs);
  const rss = await readRss(child.pid ?? 0);
  const exited = once(child, 'exit');
  child.kill();
  await exited;
  return rss;
}

/** The plugins' processes are those below this one, started by its spawner, that run Node's permission model. */
async function measurePlugins(): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const sizes = await Promise.all(
    pids.map(async (pid) => {
      // A process may end while the list is read.
      const [status, command] = await Promise.all(
        ['status', 'cmdline'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
      );
      if (command?.includes('--permission') !== true) return [];
      const spawner = await readFile(`/proc/${parentOf(status)}/status`, 'utf8').catch(() => '');
      return parentOf(spawner) === process.pid ? [await readRss(Number(pid))] : [];
    }),
  );
  return sizes.flat();
}

const parentOf = (status = ''): number => Number(/\nPPid:\t(\d+)\n/.exec(status)?.[1]);

/** Resident set in MiB. */
async function readRss(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
