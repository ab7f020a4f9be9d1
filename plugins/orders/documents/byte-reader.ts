/** Numbers in a file, read where they stand; 0 beyond its end, which no check takes for right. */
export interface ByteReader {
  readonly bytes: Uint8Array;
  uint8(at: number): number;
  uint16(at: number): number;
  uint32(at: number): number;
  uint16Little(at: number): number;
  uint24Little(at: number): number;
  uint32Little(at: number): number;
  /** As Latin-1. */
  text(at: number, length: number): string;
}

export function createByteReader(bytes: Uint8Array): ByteReader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const has = (at: number, length: number): boolean => at >= 0 && at + length <= bytes.length;
  return {
    bytes,
    uint8: (at) => (has(at, 1) ? view.getUint8(at) : 0),
    uint16: (at) => (has(at, 2) ? view.getUint16(at) : 0),
    uint32: (at) => (has(at, 4) ? view.getUint32(at) : 0),
    uint16Little: (at) => (has(at, 2) ? view.getUint16(at, true) : 0),
    uint24Little: (at) => (has(at, 3) ? view.getUint16(at, true) + 65_536 * view.getUint8(at + 2) : 0),
    uint32Little: (at) => (has(at, 4) ? view.getUint32(at, true) : 0),
    text: (at, length) => String.fromCharCode(...bytes.subarray(at, at + length)),
  };
}
