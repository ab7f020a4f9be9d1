import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { createConnectionBuffers } from '#core/mqtt/connection-buffers.ts';
import { FrameGate } from '#core/mqtt/frame-gate.ts';
import { readSample } from '../../support/platform.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';

/** A connection whose peer takes nothing. */
function openGate(): { readonly gate: FrameGate; readonly socket: Duplex } {
  const socket = new Duplex({ read: () => undefined, write: () => undefined });
  const gate = new FrameGate({
    socket,
    packetMaxBytes: 1000,
    ordered: true,
    connectFirst: false,
    admit: () => 'pass',
  });
  return { gate, socket };
}

describe('createConnectionBuffers()', () => {
  it('adds up what open connections have received and cannot send, and forgets closed ones', async () => {
    const { metrics } = recordTelemetry();
    const buffers = createConnectionBuffers(metrics);
    const sample = async (direction: string): Promise<number> =>
      readSample((await metrics.render()).body, 'returnit_mqtt_buffered_bytes', { direction });
    assert.deepEqual([await sample('received'), await sample('unsent')], [0, 0]);
    const [one, other] = [openGate(), openGate()];
    for (const { gate } of [one, other]) buffers.add(gate);
    // A ping request is two bytes, of which one has come; nobody reads anyway.
    one.socket.push(Buffer.from([0xc0]));
    other.socket.push(Buffer.from([0xc0, 0x00, 0xc0]));
    for (const { gate } of [one, other]) gate.write(Buffer.from([0xd0, 0x00]));
    await new Promise(setImmediate);
    assert.deepEqual([await sample('received'), await sample('unsent')], [4, 4]);
    const closed = once(other.gate, 'close');
    other.gate.destroy();
    await closed;
    assert.deepEqual([await sample('received'), await sample('unsent')], [1, 2]);
    one.gate.destroy();
  });
});
