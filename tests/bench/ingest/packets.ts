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
  return Buffer.concat([Buffer.from([0x10]), lengthOf(body.length), body]);
}

export function writePublish(topic: Buffer, payload: string, messageId: number, duplicate: boolean): Buffer {
  const payloadBytes = Buffer.byteLength(payload);
  const rest = 2 + topic.length + 2 + payloadBytes;
  const length = lengthOf(rest);
  const packet = Buffer.allocUnsafe(1 + length.length + rest);
  packet[0] = duplicate ? 0x3a : 0x32;
  let at = 1 + length.copy(packet, 1);
  at = packet.writeUInt16BE(topic.length, at);
  at += topic.copy(packet, at);
  at = packet.writeUInt16BE(messageId, at);
  packet.write(payload, at);
  return packet;
}

export const disconnectPacket = Buffer.from([0xe0, 0]);
export const pingPacket = Buffer.from([0xc0, 0]);

function lengthOf(bytes: number): Buffer {
  const digits: number[] = [];
  for (let left = bytes; ; left >>= 7) {
    if (left < 128) return Buffer.from([...digits, left]);
    digits.push((left & 0x7f) | 0x80);
  }
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
    rest = data.subarray(at);
  };
}
