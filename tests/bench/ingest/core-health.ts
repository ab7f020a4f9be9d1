import { readFileSync } from 'node:fs';
import type { Rig } from '../../support/ingest/rig.ts';

export interface CoreHealth {
  /** The upper bound of the bucket that holds it. */
  readonly eventLoopP99Ms: number;
  readonly rssMiB: number;
  readonly fixesPerBatch: number;
}

export interface CoreHealthReading {
  since(earlier: CoreHealthReading): CoreHealth;
  readonly batches: number;
  readonly fixes: number;
  readonly buckets: readonly Bucket[];
}

interface Bucket {
  readonly bound: number;
  readonly count: number;
}

const bucketPattern = /^nodejs_eventloop_delay_seconds_bucket\{[^}]*le="([^"]+)"[^}]*\} (\S+)/gm;
const printEveryMs = 30_000;

export async function readCoreHealth(rig: Rig): Promise<CoreHealthReading> {
  const text = await (await fetch(`${rig.core.addresses.ops}/metrics`)).text();
  const buckets = [...text.matchAll(bucketPattern)].map(([, bound, count]) => ({
    bound: bound === '+Inf' ? Infinity : Number(bound),
    count: Number(count),
  }));
  const rssMiB = rssOf(rig.core.child.pid ?? 0);
  const batchFigure = (name: 'sum' | 'count'): number => {
    const pattern = new RegExp(`^returnit_mqtt_batch_size_${name}\\{[^}]*drivers/\\+/location[^}]*\\} (\\S+)`, 'm');
    return Number(pattern.exec(text)?.[1] ?? 0);
  };
  const batches = batchFigure('count');
  const fixes = batchFigure('sum');
  return {
    buckets,
    batches,
    fixes,
    since(earlier) {
      const grown = buckets.map(({ bound, count }, index) => ({
        bound,
        count: count - (earlier.buckets[index]?.count ?? 0),
      }));
      const wanted = 0.99 * (grown.at(-1)?.count ?? 0);
      return {
        eventLoopP99Ms: 1000 * (grown.find(({ count }) => count >= wanted)?.bound ?? Number.NaN),
        rssMiB,
        fixesPerBatch: (fixes - earlier.fixes) / (batches - earlier.batches),
      };
    },
  };
}

function rssOf(pid: number): number {
  const [, kiB] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kiB) / 1024;
}

/** Prints what core and plugin hold every 30 s. */
export function watchMemory(rig: Rig, acknowledged: () => Promise<number>): { stop(): void } {
  const beganAt = performance.now();
  async function print(): Promise<void> {
    const plugin = rssOf(await rig.pluginPid());
    const core = rssOf(rig.core.child.pid ?? 0);
    const seconds = Math.round((performance.now() - beganAt) / 1000);
    const fixes = await acknowledged();
    console.error(`${seconds} s: core ${core.toFixed(0)} MiB, plugin ${plugin.toFixed(0)} MiB, ${fixes} fixes`);
  }
  const timer = setInterval(() => void print(), printEveryMs);
  return { stop: () => clearInterval(timer) };
}
