/**
 * What the supervisor learns of the plugin's thread without asking it: memory that both share. A message channel would
 * be another queue that a plugin can fill.
 */
export interface ThreadPulse {
  readonly memory: SharedArrayBuffer;
  /** Counts the thread's heartbeats: it stands still while the thread does. */
  beats(): number;
  beat(loopDelaySeconds: number): void;
  /** 99th percentile of the event loop's delay since the last beat, in seconds. */
  loopDelaySeconds(): number;
}

const bytes = 16;

export function createThreadPulse(memory: SharedArrayBuffer = new SharedArrayBuffer(bytes)): ThreadPulse {
  const count = new Int32Array(memory, 0, 1);
  const delay = new Float64Array(memory, 8, 1);
  return {
    memory,
    beats: () => Atomics.load(count, 0),
    beat(loopDelaySeconds) {
      delay[0] = loopDelaySeconds;
      Atomics.add(count, 0, 1);
    },
    loopDelaySeconds: () => delay[0] ?? 0,
  };
}
