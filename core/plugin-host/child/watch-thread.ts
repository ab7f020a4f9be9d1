import type { EventLoopUtilization } from 'node:perf_hooks';
import type { Worker } from 'node:worker_threads';
import type { ChildLimits } from './boot.ts';
import type { Control } from './control.ts';
import type { ThreadPulse } from './thread-pulse.ts';

const heapFullRatio = 0.9;

interface ThreadMemory {
  usedBytes: number;
  limitBytes: number;
  cpuMs: number;
}

/**
 * Samples the plugin's thread once a heartbeat and reports it. A thread that was busy without a pause, and in which no
 * timer ran meanwhile, is in an endless loop: `onLoop` is called once.
 */
export function watchThread(options: {
  readonly thread: Worker;
  readonly pulse: ThreadPulse;
  readonly limits: ChildLimits;
  readonly control: Control;
  /** `heapFull`: it loops because the collector finds nothing to free. */
  readonly onLoop: (heapFull: boolean) => void;
}): void {
  const { thread, pulse, limits, control } = options;
  const memory: ThreadMemory = { usedBytes: 0, limitBytes: 0, cpuMs: 0 };
  let before: EventLoopUtilization = thread.performance.eventLoopUtilization();
  let beats = 0;
  let busySinceMs: number | null = null;
  let reported = false;
  let measuring = false;

  async function measure(): Promise<void> {
    if (measuring) return;
    measuring = true;
    const [heap, cpu] = await Promise.all([thread.getHeapStatistics(), thread.cpuUsage()]);
    memory.usedBytes = heap.used_heap_size;
    memory.limitBytes = heap.heap_size_limit;
    memory.cpuMs = (cpu.user + cpu.system) / 1000;
    measuring = false;
  }

  function looksForLoop(utilization: number): void {
    const moved = pulse.beats() !== beats;
    beats = pulse.beats();
    if (moved || utilization < limits.loopRatio) {
      busySinceMs = null;
      return;
    }
    busySinceMs ??= performance.now() - limits.heartbeatMs;
    if (reported || performance.now() - busySinceMs < limits.loopMs) return;
    reported = true;
    options.onLoop(memory.usedBytes > heapFullRatio * memory.limitBytes && memory.limitBytes > 0);
  }

  const timer = setInterval(() => {
    const now = thread.performance.eventLoopUtilization();
    const { active, idle, utilization } = thread.performance.eventLoopUtilization(now, before);
    before = now;
    looksForLoop(utilization);
    // Rejects once the thread has ended; its end is reported by itself.
    measure().catch(() => clearInterval(timer));
    control.send({
      t: 'sample',
      beats,
      activeMs: Math.max(0, active),
      idleMs: Math.max(0, idle),
      loopDelaySeconds: pulse.loopDelaySeconds(),
      heapUsedBytes: memory.usedBytes,
      heapLimitBytes: memory.limitBytes,
      cpuMs: memory.cpuMs,
    });
  }, limits.heartbeatMs);
}
