/** The few MQTT 3.1.1 packets that a load of fixes consists of, written and read at the least cost. */

export function writeConnect(device: {
  readonly clientId: string;
  readonly username: string;
  readonly password: string;
}): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value);
    return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
  };
  const keepaliveSeconds = 60;
  // User name, password, clean session.
  const flags = 0xc2;
  const body = Buffer.concat([
    text('MQTT'),
    Buffer.from([4, flags, 0, keepaliveSeconds]),
    text(device.clientId),
    text(device.username),
    text(device.password),
  ]);
  const head = Buffer.alloc(headMax);
  head[0] = 0x10;
  return Buffer.concat([head.subarray(0, writeLength(head, 1, body.length)), body]);
}

export interface Publish {
  readonly messageId: number;
  /** ASCII. */
  readonly payload: string;
}

/** Packets of one topic, one behind the other in one buffer. */
export function writePublishes(topic: Buffer, messages: readonly Publish[], duplicate: boolean): Buffer {
  const restOf = ({ payload }: Publish): number => 2 + topic.length + 2 + payload.length;
  const packets = Buffer.allocUnsafe(messages.reduce((sum, message) => sum + headMax + restOf(message), 0));
  let at = 0;
  for (const message of messages) {
    packets[at] = duplicate ? 0x3a : 0x32;
    at = writeLength(packets, at + 1, restOf(message));
    at = packets.writeUInt16BE(topic.length, at);
    at += topic.copy(packets, at);
    at = packets.writeUInt16BE(message.messageId, at);
    at += packets.write(message.payload, at, 'latin1');
  }
  return packets.subarray(0, at);
}

export const disconnectPacket = Buffer.from([0xe0, 0]);
export const pingPacket = Buffer.from([0xc0, 0]);

/** The first byte and the longest length. */
const headMax = 5;

/** @returns where the next byte stands */
function writeLength(packet: Buffer, at: number, bytes: number): number {
  let next = at;
  let left = bytes;
  for (; left >= 128; left >>= 7) packet[next++] = (left & 0x7f) | 0x80;
  packet[next++] = left;
  return next;
}

export interface AcknowledgementHandlers {
  readonly onConnected: (returnCode: number) => void;
  readonly onAcknowledged: (messageId: number) => void;
}

/** Reads what a broker sends to somebody who only publishes: packets shorter than 128 bytes. */
export function createAcknowledgementReader(handlers: AcknowledgementHandlers): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (at + 1 < data.length) {
      const end = at + 2 + (data[at + 1] ?? 0);
      if (end > data.length) break;
      const type = (data[at] ?? 0) >> 4;
      if (type === 4) handlers.onAcknowledged(data.readUInt16BE(at + 2));
      else if (type === 2) handlers.onConnected(data[at + 3] ?? 255);
      at = end;
    }
    // A copy: the next chunk may come in the same memory.
    rest = Buffer.from(data.subarray(at));
  };
}
