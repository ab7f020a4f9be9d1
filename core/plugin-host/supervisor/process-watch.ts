import type { SampleFrame } from '../protocol/control-frame.ts';
import type { SandboxLimits } from '../sandbox/sandbox-limits.ts';
import type { DeathReason, ProcessSample } from './death.ts';
import { ProcessorShare } from './processor-share.ts';
import { readProcessUsage, readRunDelayMs, type ProcessUsage } from './process-usage.ts';

/** Memory can grow by hundreds of MB a second: it is looked at more often than the heartbeat is. */
const usageIntervalMaxMs = 250;
const starvedRatio = 0.5;
/** A machine that is full must not keep a plugin from coming back. */
const yieldingBootMs = 2000;
/** Processors: what one thread cannot take alone, so its heap is being collected. */
const busyAbove = 1.25;
const bytesPerMiB = 1_048_576;

export interface ProcessWatch {
  /** A report of the child's supervisor: a sign of life. */
  heard(frame: SampleFrame): void;
  /** It is ready: from now on it gives way to others while it takes more than a processor. */
  booted(): void;
  readonly sample: ProcessSample;
  stop(): void;
}

export interface ProcessWatchOptions {
  readonly pid: number;
  readonly limits: SandboxLimits;
  /** It boots beside plugins that work: they go first for a while. */
  readonly isRestart: boolean;
  readonly onUsage: (usage: ProcessUsage) => void;
  readonly onLimit: (reason: DeathReason, message: string) => void;
}

/**
 * Looks at a plugin's process from the core. What the child reports of itself is believed for metrics only; memory is
 * taken from the kernel. Silence is counted in looks, not in time: a core that was busy itself must not kill; and a look
 * at a process that was waiting for a processor does not count: a busy machine must not kill either.
 */
export function watchProcess(options: ProcessWatchOptions): ProcessWatch {
  return new IntervalWatch(options);
}

class IntervalWatch implements ProcessWatch {
  readonly #options: ProcessWatchOptions;
  readonly #silentLooksMax: number;
  readonly #timer: NodeJS.Timeout;
  readonly #share: ProcessorShare;
  #bootTimer: NodeJS.Timeout | undefined;
  #silentLooks = 0;
  #booted = false;
  #lookedAtMs = performance.now();
  #runDelayMs: number | null = null;
  #usage: ProcessUsage = { rssBytes: 0, cpuSeconds: 0 };
  #reported = { heapUsedBytes: 0, heapLimitBytes: 0, loopDelaySeconds: 0, utilization: 0 };

  constructor(options: ProcessWatchOptions) {
    const { heartbeatMs, heartbeatTimeoutMs } = options.limits;
    const intervalMs = Math.min(heartbeatMs, usageIntervalMaxMs);
    this.#options = options;
    this.#share = new ProcessorShare(options.pid);
    if (options.isRestart) this.#yieldWhileBooting();
    this.#silentLooksMax = Math.ceil(heartbeatTimeoutMs / intervalMs);
    this.#timer = setInterval(() => this.#look(), intervalMs);
  }

  get sample(): ProcessSample {
    return { ...this.#usage, ...this.#reported };
  }

  heard({ heapUsedBytes, heapLimitBytes, loopDelaySeconds, activeMs, idleMs }: SampleFrame): void {
    this.#silentLooks = 0;
    const total = activeMs + idleMs;
    const utilization = total > 0 ? activeMs / total : 0;
    this.#reported = { heapUsedBytes, heapLimitBytes, loopDelaySeconds, utilization };
  }

  booted(): void {
    this.#booted = true;
    this.#share.want('full');
    clearTimeout(this.#bootTimer);
  }

  stop(): void {
    clearTimeout(this.#bootTimer);
    this.#share.stop();
    clearInterval(this.#timer);
  }

  #yieldWhileBooting(): void {
    this.#share.want('yielding');
    this.#bootTimer = setTimeout(() => this.#share.want('full'), yieldingBootMs);
  }

  #look(): void {
    const nowMs = performance.now();
    const passedMs = nowMs - this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    const usage = readProcessUsage(this.#options.pid);
    if (!this.#isStarved(passedMs)) this.#silentLooks += 1;
    if (usage !== null) {
      const processors = ((usage.cpuSeconds - this.#usage.cpuSeconds) * 1000) / passedMs;
      if (this.#booted) this.#share.want(processors > busyAbove ? 'yielding' : 'full');
      this.#usage = usage;
      this.#options.onUsage(usage);
    }
    this.#judge();
  }

  #judge(): void {
    const { limits, onLimit } = this.#options;
    if (this.#usage.rssBytes > limits.rssMiB * bytesPerMiB) {
      const mib = Math.round(this.#usage.rssBytes / bytesPerMiB);
      const what = `it used ${mib} MiB of resident memory: at most ${limits.rssMiB} MiB are allowed`;
      // The engine lets a heap grow past its limit where it cannot stop the code that fills it.
      const heapFull = this.#reported.heapUsedBytes >= limits.heapMiB * bytesPerMiB;
      onLimit(heapFull ? 'oom-heap' : 'rss', heapFull ? `${what}, its heap is full` : what);
    } else if (this.#silentLooks > this.#silentLooksMax) {
      onLimit('unresponsive', `it was silent for ${limits.heartbeatTimeoutMs} ms`);
    }
  }

  /** Whether its supervisor could not run for most of the time since the last look. */
  #isStarved(passedMs: number): boolean {
    const before = this.#runDelayMs;
    const delayMs = readRunDelayMs(this.#options.pid);
    this.#runDelayMs = delayMs;
    return delayMs !== null && before !== null && delayMs - before > starvedRatio * passedMs;
  }
}
