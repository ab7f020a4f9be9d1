import type { PluginIdentity } from '#core/plugin-instance.ts';

/**
 * Why a plugin's process ended, other than by being asked to:
 * - `boot-failure`: setup() threw, or the code could not be loaded. `boot-timeout`: not ready within the boot deadline.
 * - `crash`: an uncaught error, an unhandled rejection, a signal. `exit`: the plugin ended its own thread.
 * - `loop`: it did not return to its event loop. `unresponsive`: its supervisor was silent as well.
 * - `oom-heap`: its heap limit. `oom-fatal`: the engine aborted for want of memory. `rss`: resident memory above the limit.
 * - `protocol`: it broke the protocol. `flood`: too many denials. `operator`: killed by command.
 */
export const deathReasons = [
  'boot-failure',
  'boot-timeout',
  'crash',
  'exit',
  'loop',
  'unresponsive',
  'oom-heap',
  'oom-fatal',
  'rss',
  'protocol',
  'flood',
  'operator',
] as const;

export type DeathReason = (typeof deathReasons)[number];

/** What was last seen of a process. */
export interface ProcessSample {
  readonly rssBytes: number;
  /** Of the process, as the kernel counts it. */
  readonly cpuSeconds: number;
  readonly heapUsedBytes: number;
  readonly heapLimitBytes: number;
  readonly loopDelaySeconds: number;
  /** Share of the last heartbeat that the plugin's event loop was busy. */
  readonly utilization: number;
}

export interface Death {
  readonly plugin: PluginIdentity;
  readonly reason: DeathReason;
  readonly message: string;
  /** ISO 8601. */
  readonly at: string;
  readonly uptimeMs: number;
  readonly wasReady: boolean;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly callsInFlight: { readonly toCore: number; readonly toPlugin: number };
  readonly traceIds: readonly string[];
  readonly sample: ProcessSample;
  /** JSON in the form of a .cpuprofile file. */
  readonly profile: string | null;
}
