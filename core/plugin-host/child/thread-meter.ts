import type { Worker } from 'node:worker_threads';

export interface ThreadMeter {
  /** How often the thread has answered. */
  readonly answers: number;
  readonly cpuMs: number;
  /** As of the last answer; for a thread that has not answered for a while, with what the process has grown by since. */
  readonly heapUsedBytes: number;
  /** CPU time of the process without this thread's own: known also while the plugin's thread does not answer. */
  readonly processCpuMs: number;
  /** Asks the thread, one question at a time. Resolves when it has answered; never while it is in native code. */
  ask(): Promise<void>;
}

/**
 * Buffers are made by JavaScript, which answers; a process that grows while its thread does not answer fills its heap,
 * in the engine's own loops or in its collector.
 */
const unansweredMax = 2;

/**
 * Measures the plugin's thread from outside. It answers by an interrupt between two instructions, so also in an endless
 * loop. A thread that has not started yet, or has ended, cannot be asked: what is known stays as it was.
 */
export function createThreadMeter(thread: Worker): ThreadMeter {
  let asked: Promise<void> | null = null;
  let answers = 0;
  let cpuMs = 0;
  let heapUsedBytes = 0;
  let rssAtAnswerBytes = process.memoryUsage.rss();
  let rssPeakBytes = rssAtAnswerBytes;
  let unanswered = 0;

  async function measure(): Promise<void> {
    try {
      const [heap, cpu] = await Promise.all([thread.getHeapStatistics(), thread.cpuUsage()]);
      heapUsedBytes = heap.used_heap_size;
      cpuMs = (cpu.user + cpu.system) / 1000;
      answers += 1;
      unanswered = 0;
      rssAtAnswerBytes = rssPeakBytes = process.memoryUsage.rss();
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ERR_WORKER_NOT_RUNNING') throw error;
    } finally {
      asked = null;
    }
  }

  return {
    get answers() {
      return answers;
    },
    get cpuMs() {
      return cpuMs;
    },
    get heapUsedBytes() {
      return unanswered < unansweredMax ? heapUsedBytes : heapUsedBytes + rssPeakBytes - rssAtAnswerBytes;
    },
    get processCpuMs() {
      return toMs(process.cpuUsage()) - toMs(process.threadCpuUsage());
    },
    ask() {
      if (asked !== null) {
        unanswered += 1;
        rssPeakBytes = Math.max(rssPeakBytes, process.memoryUsage.rss());
      }
      return (asked ??= measure());
    },
  };
}

function toMs({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1000;
}
