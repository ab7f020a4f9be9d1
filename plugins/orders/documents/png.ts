import type { ByteReader } from './byte-reader.ts';
import { crc32 } from './crc32.ts';
import { sized, type Shape } from './shape.ts';

const signatureBytes = 8;
/** Length, type and checksum around the data of a chunk. */
const chunkFrameBytes = 12;

/** From the signature to IEND every chunk is where the one before ends and has its checksum, and nothing follows. */
export function readPng(file: ByteReader): Shape {
  if (file.text(6, 2) !== '\x1a\n') return { broken: 'its signature is not whole' };
  let size: Shape = { broken: 'it does not begin with its header' };
  let hasData = false;
  for (let at = signatureBytes; at < file.bytes.length;) {
    const length = file.uint32(at);
    const end = at + chunkFrameBytes + length;
    if (end > file.bytes.length) return { broken: 'it ends in the middle of a chunk' };
    if (crc32(file.bytes.subarray(at + 4, end - 4)) !== file.uint32(end - 4))
      return { broken: 'a checksum in it is wrong' };
    const type = file.text(at + 4, 4);
    if (at === signatureBytes) {
      if (type !== 'IHDR' || length !== 13) return size;
      size = sized(file.uint32(at + 8), file.uint32(at + 12));
    }
    hasData ||= type === 'IDAT' && length > 0;
    if (type === 'IEND') {
      if (!hasData) return { broken: 'it has no picture' };
      return end === file.bytes.length ? size : { broken: 'something follows its end' };
    }
    at = end;
  }
  return { broken: 'it has no end' };
}
