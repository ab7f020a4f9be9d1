import type { ByteReader } from './byte-reader.ts';
import { sized, type Shape } from './shape.ts';

const headerBytes = 12;

/** RIFF of exactly the size that it says, whose first chunk is a picture or says how large the canvas is. */
export function readWebp(file: ByteReader): Shape {
  if (file.uint32Little(4) + 8 !== file.bytes.length) return { broken: 'it does not have the length that it says' };
  if (headerBytes + 8 + file.uint32Little(headerBytes + 4) > file.bytes.length)
    return { broken: 'it ends in the middle of a chunk' };
  const at = headerBytes + 8;
  switch (file.text(headerBytes, 4)) {
    case 'VP8X':
      return sized(file.uint24Little(at + 4) + 1, file.uint24Little(at + 7) + 1);
    case 'VP8L': {
      const bits = file.uint32Little(at + 1);
      if (file.uint8(at) !== 0x2f) return { broken: 'its picture has no signature' };
      return sized((bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1);
    }
    case 'VP8 ':
      if (file.text(at + 3, 3) !== '\x9d\x01\x2a') return { broken: 'its picture has no signature' };
      return sized(file.uint16Little(at + 6) & 0x3fff, file.uint16Little(at + 8) & 0x3fff);
    default:
      return { broken: 'it does not begin with a picture' };
  }
}
