/** What is wrong with the core's process and with the container that it is in. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../support/until.ts';
import { startNeighbour } from '../cgroup.ts';
import type { Fault } from '../fault.ts';
import type { System } from '../system.ts';

const core = { service: 'core' };
const mebibyte = 1_048_576;
const pidOf = (system: System): number => system.core.child.pid ?? 0;

/** A core whose code leaks when it is told to. Its limit is so high that the young generation hardly counts in it. */
const leaking = {
  nodeFlags: ['--max-old-space-size=1024', `--import=${join(import.meta.dirname, '../leak-on-signal.mjs')}`],
  // What it cleared would be in the way of what is to be seen.
  environment: { CACHE_PRESSURE_CHECK_MS: '600000' },
};

/** It ends the leak; in shortened time it lasts as long as a minute. */
const restarted = [{ alert: 'TargetDown', because: 'the leak ends with a restart' }];

const heapInUse = 'nodejs_heap_size_used_bytes / nodejs_heap_size_limit_bytes';

async function leakUntil(system: System, ratio: number): Promise<void> {
  const isReached = async (): Promise<boolean> => {
    const [now = 0] = await system.monitoring.query(heapInUse);
    if (now > ratio) return true;
    process.kill(pidOf(system), 'SIGUSR2');
    await delay(system.shortened(30) * 1000);
    return false;
  };
  await until(`the heap of the core is used to ${ratio}`, isReached, 180_000);
}

const memoryLimit = 1500 * mebibyte;

/** Something in the container keeps as much as is missing to a share of the limit. */
const fillMemory = (share: number) => async (system: System) => {
  const [used = 0] = await system.monitoring.query('returnit_container_memory_working_set_bytes');
  const bytes = Math.round(share * memoryLimit - used);
  const neighbour = startNeighbour(
    `let kept; process.once('SIGUSR2', () => { kept = Buffer.alloc(${bytes}, 1); }); setInterval(() => kept, 1e9);`,
  );
  system.container?.add(neighbour.pid);
  // It can be told once it has started.
  await delay(1000);
  process.kill(neighbour.pid, 'SIGUSR2');
  return () => neighbour.end();
};

export const coreFaults: readonly Fault[] = [
  {
    name: 'core-held-up',
    what: 'The core is held still for a third of each second',
    expects: [{ alert: 'EventLoopDelayed', labels: core }],
    async inject(system) {
      const pid = pidOf(system);
      let isOver = false;
      const running = (async () => {
        while (!isOver) {
          process.kill(pid, 'SIGSTOP');
          await delay(330);
          process.kill(pid, 'SIGCONT');
          await delay(670);
        }
      })();
      return async () => {
        isOver = true;
        await running;
      };
    },
  },
  {
    name: 'core-overworked',
    what: "Something in the core's code computes in all the time that there is",
    needs: { nodeFlags: [`--import=${join(import.meta.dirname, '../burn-on-signal.mjs')}`] },
    expects: [{ alert: 'EventLoopSaturated', labels: core }],
    async inject(system) {
      process.kill(pidOf(system), 'SIGUSR2');
      return async () => void process.kill(pidOf(system), 'SIGUSR2');
    },
  },
  {
    name: 'processors-used-up',
    what: 'The container has one processor, and others in it want two',
    expects: [
      { alert: 'CpuHigh', labels: core },
      { alert: 'CpuThrottled', labels: core },
    ],
    needs: { container: { 'cpu.cfs_period_us': 100_000, 'cpu.cfs_quota_us': 100_000 } },
    async inject({ container }) {
      const neighbours = [1, 2].map(() => startNeighbour('for (;;);'));
      for (const { pid } of neighbours) container?.add(pid);
      return async () => {
        for (const neighbour of neighbours) await neighbour.end();
      };
    },
  },
  {
    name: 'memory-high',
    what: 'The container has a limit, and something beside the core uses most of it',
    expects: [{ alert: 'MemoryHigh', labels: core }],
    needs: { container: { 'memory.limit_in_bytes': memoryLimit } },
    inject: fillMemory(0.9),
  },
  {
    name: 'memory-nearly-gone',
    what: 'The same, and hardly anything is left',
    expects: [{ alert: 'MemoryNearLimit', labels: core }],
    needs: { container: { 'memory.limit_in_bytes': memoryLimit } },
    inject: fillMemory(0.972),
  },
  {
    name: 'core-heap-filled',
    what: "The core's heap fills, as far as it is committed",
    needs: leaking,
    consequences: restarted,
    leadSeconds: 60,
    expects: [{ alert: 'HeapRatioHigh', labels: core }],
    async inject(system) {
      await leakUntil(system, 0.78);
      return () => system.startCore();
    },
  },
  {
    name: 'core-heap-kept',
    what: "The core's heap fills slowly, and half of it is never given back",
    needs: leaking,
    consequences: [...restarted, { alert: 'HeapNearLimit', because: 'it is full when nobody looks for long' }],
    leadSeconds: 90,
    expects: [{ alert: 'HeapLeakSuspected', labels: core }],
    async inject(system) {
      await leakUntil(system, 0.55);
      let isOver = false;
      const growing = (async () => {
        while (!isOver) {
          // Where it can still be ended in an orderly way.
          const [now = 1] = await system.monitoring.query(heapInUse);
          if (now < 0.8) process.kill(pidOf(system), 'SIGUSR2');
          await delay(system.shortened(180) * 1000);
        }
      })();
      growing.catch(() => undefined);
      return async () => {
        isOver = true;
        await growing;
        await system.startCore();
      };
    },
  },
  {
    name: 'core-heap-leak',
    what: "The core's heap fills until it is about to die of it",
    needs: leaking,
    consequences: restarted,
    leadSeconds: 60,
    expects: [{ alert: 'HeapNearLimit', labels: core }],
    async inject(system) {
      await leakUntil(system, 0.87);
      return () => system.startCore();
    },
  },
];
