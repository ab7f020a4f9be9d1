import type { MqttClient } from 'mqtt';
import type { FrameGate } from './frame-gate.ts';

/**
 * Keeps a connection for as long as something comes. The library takes a broker for dead that answers a ping late, whatever
 * comes meanwhile: one with much to do answers behind all that it has to send. Ends with the client.
 */
export function keepWhileHeard(client: MqttClient, gate: () => FrameGate | undefined): void {
  // The library pings after one keep-alive of silence, and gives up after one and a half.
  const heardMs = ((client.options.keepalive ?? 0) * 1000) / 2;
  if (heardMs === 0) return;
  const timer = setInterval(() => {
    if (!client.connected || gate()?.hasHeard(heardMs) !== true) return;
    client.sendPing();
    client.reschedulePing(true);
  }, heardMs).unref();
  client.once('end', () => clearInterval(timer));
}
