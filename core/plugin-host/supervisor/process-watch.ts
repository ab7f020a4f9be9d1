import type { SampleFrame } from '../protocol/control-frame.ts';
import type { SandboxLimits } from '../sandbox-limits.ts';
import type { DeathReason, ProcessSample } from './death.ts';
import { readProcessUsage, type ProcessUsage } from './process-usage.ts';

/** Memory can grow by hundreds of MB a second: it is looked at more often than the heartbeat is. */
const usageIntervalMaxMs = 250;
const bytesPerMiB = 1_048_576;

export interface ProcessWatch {
  /** A report of the child's supervisor: a sign of life. */
  heard(frame: SampleFrame): void;
  readonly sample: ProcessSample;
  stop(): void;
}

/**
 * Looks at a plugin's process from the core. What the child reports of itself is believed for metrics only; memory is
 * taken from the kernel. Silence is counted in looks, not in time: a core that was busy itself must not kill.
 */
export function watchProcess(options: {
  readonly pid: number;
  readonly limits: SandboxLimits;
  readonly onUsage: (usage: ProcessUsage) => void;
  readonly onLimit: (reason: DeathReason, message: string) => void;
}): ProcessWatch {
  const { limits } = options;
  const intervalMs = Math.min(limits.heartbeatMs, usageIntervalMaxMs);
  const silentLooksMax = Math.ceil(limits.heartbeatTimeoutMs / intervalMs);
  let silentLooks = 0;
  let looking = false;
  let stopped = false;
  let usage: ProcessUsage = { rssBytes: 0, cpuSeconds: 0 };
  let reported = { heapUsedBytes: 0, heapLimitBytes: 0, loopDelaySeconds: 0, utilization: 0 };

  async function look(): Promise<void> {
    if (looking) return;
    looking = true;
    const current = await readProcessUsage(options.pid);
    looking = false;
    if (stopped) return;
    silentLooks += 1;
    if (current !== null) {
      usage = current;
      options.onUsage(current);
    }
    if (usage.rssBytes > limits.rssMiB * bytesPerMiB) {
      const mib = Math.round(usage.rssBytes / bytesPerMiB);
      options.onLimit('rss', `it used ${mib} MiB of resident memory: at most ${limits.rssMiB} MiB are allowed`);
    } else if (silentLooks > silentLooksMax) {
      options.onLimit('unresponsive', `it was silent for ${limits.heartbeatTimeoutMs} ms`);
    }
  }

  const timer = setInterval(() => void look(), intervalMs);
  return {
    heard(frame) {
      silentLooks = 0;
      const { heapUsedBytes, heapLimitBytes, loopDelaySeconds, activeMs, idleMs } = frame;
      const total = activeMs + idleMs;
      reported = { heapUsedBytes, heapLimitBytes, loopDelaySeconds, utilization: total > 0 ? activeMs / total : 0 };
    },
    get sample() {
      return { ...usage, ...reported };
    },
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}
