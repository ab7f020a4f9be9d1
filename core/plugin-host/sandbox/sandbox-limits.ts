import type { Config } from '#core/config/settings.ts';
import type { ManifestLimits } from '../manifest/manifest-schema.ts';

/** Everything a plugin's process is held to. A manifest may ask for less than the configuration allows, never for more. */
export interface SandboxLimits {
  readonly heapMiB: number;
  readonly rssMiB: number;
  readonly callTimeoutMs: number;
  readonly bootTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly frameMaxBytes: number;
  readonly callsInFlightMax: number;
  readonly callsQueuedMax: number;
  readonly notesPerSecondMax: number;
  readonly heartbeatMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly loopRatio: number;
  readonly loopMs: number;
  readonly profileMs: number;
  readonly restartDelayMs: number;
  readonly quarantineDeaths: number;
  readonly quarantineWindowMs: number;
}

/** Calls that wait for a place, for each that may be in flight. */
const queuedPerCallInFlight = 16;
const stopTimeoutMaxMs = 10_000;

export function toSandboxLimits(config: Config, manifest: ManifestLimits = {}): SandboxLimits {
  return {
    heapMiB: Math.min(config.pluginHeapMiB, manifest.heapMiB ?? Infinity),
    rssMiB: Math.min(config.pluginRssMiB, manifest.rssMiB ?? Infinity),
    callTimeoutMs: Math.min(config.pluginCallTimeoutMs, manifest.callTimeoutMs ?? Infinity),
    bootTimeoutMs: Math.min(config.pluginBootTimeoutMs, manifest.bootTimeoutMs ?? Infinity),
    stopTimeoutMs: Math.min(config.shutdownTimeoutMs, stopTimeoutMaxMs),
    frameMaxBytes: config.pluginFrameMaxBytes,
    callsInFlightMax: config.pluginCallsInFlightMax,
    callsQueuedMax: config.pluginCallsInFlightMax * queuedPerCallInFlight,
    notesPerSecondMax: config.pluginNotesPerSecondMax,
    heartbeatMs: config.pluginHeartbeatMs,
    heartbeatTimeoutMs: config.pluginHeartbeatTimeoutMs,
    loopRatio: config.pluginLoopRatio,
    loopMs: config.pluginLoopMs,
    profileMs: config.pluginProfileMs,
    restartDelayMs: config.pluginRestartDelayMs,
    quarantineDeaths: config.pluginQuarantineDeaths,
    quarantineWindowMs: config.pluginQuarantineWindowMs,
  };
}
