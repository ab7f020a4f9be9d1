import type { Metrics } from '#core/telemetry/metrics.ts';
import type { FrameGate } from './frame-gate.ts';

/** What connections keep in memory for want of somebody who takes it, looked at when metrics are collected. */
export interface ConnectionBuffers {
  /** Counts this one until it is closed. */
  add(gate: Pick<FrameGate, 'buffered' | 'once'>): void;
}

export function createConnectionBuffers(metrics: Pick<Metrics, 'gauge' | 'onCollect'>): ConnectionBuffers {
  const open = new Set<Pick<FrameGate, 'buffered'>>();
  const bytes = metrics.gauge('returnit_mqtt_buffered_bytes');
  metrics.onCollect(() => {
    let [received, unsent] = [0, 0];
    for (const { buffered } of open) {
      received += buffered.received;
      unsent += buffered.unsent;
    }
    bytes.set({ direction: 'received' }, received);
    bytes.set({ direction: 'unsent' }, unsent);
  });
  return {
    add(gate) {
      open.add(gate);
      gate.once('close', () => void open.delete(gate));
    },
  };
}
