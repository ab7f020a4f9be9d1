import type { Socket } from 'node:net';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { PluginIdentity } from '#core/plugin-instance.ts';
import type { SampleFrame } from '../protocol/control-frame.ts';
import type { Peer } from '../protocol/peer.ts';
import { toHandlerOutcome, type HandlerOutcome } from './handler-outcome.ts';
import type { ProcessUsage } from './process-usage.ts';

export type ProcessTelemetry = Pick<Telemetry, 'metrics' | 'logger'>;

/** The numbers of one plugin process. Totals go up by what changed, so that they outlive a restart. */
export interface ProcessMetrics {
  booted(durationMs: number): void;
  sample(frame: SampleFrame): void;
  usage(usage: ProcessUsage, peer: Peer, data: Socket): void;
  /** Measures one call of a handler. */
  handled<T>(run: () => Promise<T>): Promise<T>;
}

export function createProcessMetrics({ metrics }: ProcessTelemetry, { name }: PluginIdentity): ProcessMetrics {
  const plugin = { plugin: name };
  const boot = metrics.gauge('returnit_plugin_boot_seconds');
  const loop = metrics.counter('returnit_plugin_eventloop_time_seconds_total');
  const heapUsed = metrics.gauge('returnit_plugin_heap_used_bytes');
  const heapLimit = metrics.gauge('returnit_plugin_heap_limit_bytes');
  const rss = metrics.gauge('returnit_plugin_rss_bytes');
  const cpu = metrics.counter('returnit_plugin_cpu_seconds_total');
  const inFlight = metrics.gauge('returnit_plugin_calls_in_flight');
  const bytes = metrics.counter('returnit_plugin_channel_bytes_total');
  const frames = metrics.counter('returnit_plugin_channel_frames_total');
  const notesDropped = metrics.counter('returnit_plugin_notes_dropped_total');
  const handlers = metrics.histogram('returnit_plugin_handler_duration_seconds');
  const seen = { cpuSeconds: 0, bytesRead: 0, bytesWritten: 0, framesReceived: 0, framesSent: 0, notesDropped: 0 };

  /** By how much a total grew since it was last looked at. */
  function growth(total: keyof typeof seen, value: number): number {
    const grown = Math.max(0, value - seen[total]);
    seen[total] = value;
    return grown;
  }

  return {
    booted: (durationMs) => boot.set(plugin, durationMs / 1000),
    sample(frame) {
      loop.inc({ ...plugin, state: 'active' }, frame.activeMs / 1000);
      loop.inc({ ...plugin, state: 'idle' }, frame.idleMs / 1000);
      heapUsed.set(plugin, frame.heapUsedBytes);
      heapLimit.set(plugin, frame.heapLimitBytes);
    },
    usage(usage, peer, data) {
      rss.set(plugin, usage.rssBytes);
      cpu.inc(plugin, growth('cpuSeconds', usage.cpuSeconds));
      inFlight.set({ ...plugin, direction: 'to_core' }, peer.incoming.size);
      inFlight.set({ ...plugin, direction: 'to_plugin' }, peer.outgoing.inFlight);
      bytes.inc({ ...plugin, direction: 'to_core' }, growth('bytesRead', data.bytesRead));
      bytes.inc({ ...plugin, direction: 'to_plugin' }, growth('bytesWritten', data.bytesWritten));
      frames.inc({ ...plugin, direction: 'to_core' }, growth('framesReceived', peer.framesReceived));
      frames.inc({ ...plugin, direction: 'to_plugin' }, growth('framesSent', peer.framesSent));
      notesDropped.inc(plugin, growth('notesDropped', peer.notesDropped));
    },
    async handled(run) {
      const startedAtMs = performance.now();
      let outcome: HandlerOutcome = 'ok';
      try {
        return await run();
      } catch (error) {
        outcome = toHandlerOutcome(error);
        throw error;
      } finally {
        handlers.observe({ ...plugin, outcome }, (performance.now() - startedAtMs) / 1000);
      }
    },
  };
}
