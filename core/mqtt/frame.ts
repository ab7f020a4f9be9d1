/** The outer form of MQTT control packets (MQTT 3.1.1 §2.2, the same in MQTT 5): enough to count, bound and hold them. */

export const packetTypes = { connack: 2, publish: 3, puback: 4, pubrec: 5 } as const;

export interface FrameHeader {
  readonly type: number;
  readonly flags: number;
  /** Bytes of the fixed header. */
  readonly headerBytes: number;
  /** Bytes of the whole packet, fixed header included. */
  readonly totalBytes: number;
}

/** What the head of a PUBLISH says before its payload is looked at. */
export interface PublishHead {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  /** 0 when the quality of service is 0. */
  readonly messageId: number;
  readonly duplicate: boolean;
  readonly retained: boolean;
  /** Of the whole packet. */
  readonly bytes: number;
  /** What follows the message id: the payload, in MQTT 5 behind its properties. */
  readonly body: Buffer;
}

/** The header that begins at `offset`; undefined when it is not all there yet, null when it cannot be one. */
export function readHeader(buffer: Buffer, offset: number): FrameHeader | undefined | null {
  const first = buffer[offset];
  if (first === undefined) return undefined;
  let length = 0;
  // The remaining length takes at most four bytes [MQTT-2.2.3].
  for (let index = 0; index < 4; index += 1) {
    const byte = buffer[offset + 1 + index];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** index;
    if ((byte & 0x80) === 0) {
      const headerBytes = 2 + index;
      return { type: first >> 4, flags: first & 0x0f, headerBytes, totalBytes: headerBytes + length };
    }
  }
  return null;
}

/** The head of the complete PUBLISH that begins at `offset`; null when it is malformed. */
export function readPublishHead(buffer: Buffer, offset: number, header: FrameHeader): PublishHead | null {
  const qos = (header.flags >> 1) & 0x03;
  const end = offset + header.totalBytes;
  const topicAt = offset + header.headerBytes + 2;
  if (qos === 3 || end < topicAt) return null;
  const topicEnd = topicAt + buffer.readUInt16BE(topicAt - 2);
  const bodyAt = topicEnd + (qos > 0 ? 2 : 0);
  if (end < bodyAt) return null;
  const messageId = qos > 0 ? buffer.readUInt16BE(topicEnd) : 0;
  // A message that asks for an acknowledgement has an identifier other than 0 [MQTT-2.3.1-1].
  if (qos > 0 && messageId === 0) return null;
  return {
    topic: buffer.toString('utf8', topicAt, topicEnd),
    qos: qos as 0 | 1 | 2,
    messageId,
    duplicate: (header.flags & 0x08) !== 0,
    retained: (header.flags & 0x01) !== 0,
    bytes: header.totalBytes,
    body: buffer.subarray(bodyAt, end),
  };
}

/** The message that a complete PUBACK or PUBREC frame acknowledges. */
export function readAcknowledgedId(frame: Buffer, header: FrameHeader): number | undefined {
  return frame.length >= header.headerBytes + 2 ? frame.readUInt16BE(header.headerBytes) : undefined;
}
