/** What was seen of the plugin's thread from outside, at one look. */
export interface ThreadLook {
  readonly nowMs: number;
  /** The thread's heartbeats: they come from a timer, so they stand still while it does not return to its event loop. */
  readonly beats: number;
  /** Share of the time since the last look in which its event loop did not wait; 0 to 1. */
  readonly utilization: number;
  /** How often the thread has been measured: it answers between two instructions of JavaScript, also in a loop. */
  readonly answers: number;
  /** Its CPU time, as of the last answer. */
  readonly threadCpuMs: number;
  /** CPU time of the process without its supervisor's: known also while the thread does not answer. */
  readonly processCpuMs: number;
}

/**
 * `computes`: it used a processor all the while. `native`: it did, and did not answer, so it is not in JavaScript.
 * `waits`: it is blocked, and its processor time stands still.
 */
export type StuckHow = 'computes' | 'native' | 'waits';

export interface LoopDetector {
  look(look: ThreadLook): StuckHow | null;
  /** Starts anew, as after a heartbeat. */
  reset(): void;
}

/** A thread that runs at all gets a slice of milliseconds from the scheduler; answering takes it some ten microseconds. */
const answerCpuMaxMs = 1;
const waitingAnswersMin = 3;

/** A time without a heartbeat. */
interface Episode {
  readonly begin: ThreadLook;
  /** The first answer since it began: its processor time is counted from there. */
  first: ThreadLook | null;
  /** The look at which the last answer had just come, or the begin: the process's is counted from there. */
  last: ThreadLook;
}

/**
 * Tells a thread that does not return to its event loop from one that the machine does not let run. Time alone cannot:
 * beside busy neighbours a short callback takes seconds. A thread is stuck when it has *used* `loopMs` of processor time
 * since its last heartbeat, or when it was asked several times meanwhile, answered at once, and used none.
 */
export function createLoopDetector(options: { readonly loopMs: number; readonly loopRatio: number }): LoopDetector {
  const cpuMaxMs = options.loopMs * options.loopRatio;
  let beats = 0;
  let episode: Episode | null = null;

  function judge({ begin, first, last }: Episode, look: ThreadLook): StuckHow | null {
    if (look.nowMs - begin.nowMs < options.loopMs) return null;
    const silentMs = look.nowMs - last.nowMs;
    // It is in native code. The other threads of the process work for it alone: they collect its garbage.
    if (silentMs >= options.loopMs && look.processCpuMs - last.processCpuMs >= cpuMaxMs) return 'native';
    if (first === null) return null;
    const usedMs = look.threadCpuMs - first.threadCpuMs;
    if (usedMs >= cpuMaxMs) return 'computes';
    const answers = look.answers - first.answers;
    return answers >= waitingAnswersMin && usedMs < answers * answerCpuMaxMs ? 'waits' : null;
  }

  return {
    look(look) {
      const moved = look.beats !== beats;
      beats = look.beats;
      // Before its first heartbeat the thread is starting, which has a deadline of its own.
      if (moved || beats === 0 || look.utilization < options.loopRatio) {
        episode = null;
        return null;
      }
      episode ??= { begin: look, first: null, last: look };
      if (look.answers > episode.last.answers) {
        episode.first ??= look;
        episode.last = look;
      }
      return judge(episode, look);
    },
    reset() {
      episode = null;
    },
  };
}
