import type { EventLoopUtilization } from 'node:perf_hooks';
import type { Worker } from 'node:worker_threads';
import type { ChildLimits } from './boot.ts';
import type { Control } from './control.ts';
import { createLoopDetector, type LoopDetector, type StuckHow } from './loop-detector.ts';
import { createThreadMeter, type ThreadMeter } from './thread-meter.ts';
import type { ThreadPulse } from './thread-pulse.ts';

/** Of the heap that the plugin may use: above it the collector runs without end and finds nothing to free. */
const heapFullRatio = 0.85;
/** Growth between two looks that tells a heap which is being filled. */
const heapGrowthRatio = 0.02;
/** How many times `loopMs` a thread may go on filling its heap before that counts as a loop. */
const fillingFactor = 3;
const bytesPerMiB = 1_048_576;
/** Memory can grow by hundreds of MB a second: the thread is looked at more often than the heartbeat is. */
const lookIntervalMaxMs = 250;
/** Longest wait for a last look at the heap. */
const lastLookMs = 1000;

export interface Stuck {
  readonly how: StuckHow;
  /** It does not return because the collector finds nothing to free. */
  readonly heapFull: boolean;
}

export interface ThreadWatch {
  /** Whether the heap is full now, by a fresh look if the thread answers. */
  heapFull(): Promise<boolean>;
  /** Whether the thread has returned to its event loop since it was found stuck; then it is watched on. */
  recovered(): boolean;
  stop(): void;
}

interface ThreadWatchOptions {
  readonly thread: Worker;
  readonly pulse: ThreadPulse;
  readonly limits: ChildLimits;
  readonly control: Control;
  readonly onStuck: (stuck: Stuck) => void;
}

/** Looks at the plugin's thread at least once a heartbeat, reports what it sees, and tells when it is stuck. */
export function watchThread(options: ThreadWatchOptions): ThreadWatch {
  return new IntervalWatch(options);
}

class IntervalWatch implements ThreadWatch {
  readonly #options: ThreadWatchOptions;
  readonly #meter: ThreadMeter;
  readonly #detector: LoopDetector;
  readonly #heapBytes: number;
  readonly #timer: NodeJS.Timeout;
  #before: EventLoopUtilization;
  #stuckAtBeat: number | null = null;
  #fillingSinceMs: number | null = null;
  #heapBefore = 0;

  constructor(options: ThreadWatchOptions) {
    const { thread, limits } = options;
    this.#options = options;
    this.#meter = createThreadMeter(thread);
    this.#detector = createLoopDetector(limits);
    this.#heapBytes = limits.heapMiB * bytesPerMiB;
    this.#before = thread.performance.eventLoopUtilization();
    this.#timer = setInterval(() => this.#look(), Math.min(limits.heartbeatMs, lookIntervalMaxMs));
  }

  async heapFull(): Promise<boolean> {
    await Promise.race([this.#meter.ask(), new Promise((resolve) => setTimeout(resolve, lastLookMs))]);
    return this.#isFull();
  }

  recovered(): boolean {
    if (this.#stuckAtBeat === null || this.#options.pulse.beats() === this.#stuckAtBeat) return false;
    this.#stuckAtBeat = null;
    this.#detector.reset();
    return true;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { performance: thread } = this.#options.thread;
    const now = thread.eventLoopUtilization();
    const passed = thread.eventLoopUtilization(now, this.#before);
    this.#before = now;
    this.#judge(passed.utilization);
    void this.#meter.ask();
    this.#report(passed);
  }

  #judge(utilization: number): void {
    const nowMs = performance.now();
    const beats = this.#options.pulse.beats();
    const { answers, cpuMs, processCpuMs } = this.#meter;
    const how = this.#detector.look({ nowMs, beats, utilization, answers, threadCpuMs: cpuMs, processCpuMs });
    const filling = this.#isFilling(nowMs);
    if (how === null || filling || this.#stuckAtBeat !== null) return;
    this.#stuckAtBeat = beats;
    this.#options.onStuck({ how, heapFull: this.#isFull() });
  }

  #isFull(): boolean {
    return this.#meter.heapUsedBytes >= heapFullRatio * this.#heapBytes;
  }

  /** Who fills the heap is about to die of that, which says more than "loop": it is given some time to. */
  #isFilling(nowMs: number): boolean {
    const { heapUsedBytes } = this.#meter;
    const grows = heapUsedBytes - this.#heapBefore > heapGrowthRatio * this.#heapBytes;
    this.#heapBefore = heapUsedBytes;
    if (!grows || this.#isFull()) {
      this.#fillingSinceMs = null;
      return false;
    }
    this.#fillingSinceMs ??= nowMs;
    return nowMs - this.#fillingSinceMs < fillingFactor * this.#options.limits.loopMs;
  }

  #report({ active, idle }: EventLoopUtilization): void {
    const { pulse, control } = this.#options;
    control.send({
      t: 'sample',
      beats: pulse.beats(),
      activeMs: Math.max(0, active),
      idleMs: Math.max(0, idle),
      loopDelaySeconds: pulse.loopDelaySeconds(),
      heapUsedBytes: this.#meter.heapUsedBytes,
      // V8's own limit counts the young generation, which is never full: the thread dies long before it reaches that.
      heapLimitBytes: this.#heapBytes,
      cpuMs: this.#meter.cpuMs,
    });
  }
}
