import type { Metrics } from '#core/telemetry/metrics.ts';

/** Counts messages that were put aside before any subscription got them. They begin at 0. */
export function countUnclaimed(
  metrics: Pick<Metrics, 'counter'>,
  reason: 'no-subscriber' | 'late-will',
): (message: { readonly qos: number }) => void {
  const rejected = metrics.counter('returnit_mqtt_messages_rejected_total');
  const labels = { plugin: 'core', messaging_destination_template: '__unmatched__', reason };
  for (const qos of ['0', '1']) rejected.inc({ ...labels, qos }, 0);
  return ({ qos }) => rejected.inc({ ...labels, qos: String(qos) });
}
