import type { ByteReader } from './byte-reader.ts';
import { sized, type Shape } from './shape.ts';

const startOfScan = 0xda;
const endOfImage = 0xd9;
/** Frame headers, which hold the size: all of C0 to CF but the three that are tables. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

/** Segments up to the picture, with a frame header among them, then an end. Cameras put things of their own behind that. */
export function readJpeg(file: ByteReader): Shape {
  let size: Shape = { broken: 'it has no frame header' };
  for (let at = 2; at < file.bytes.length;) {
    if (file.uint8(at) !== 0xff) return { broken: 'a segment in it does not begin with a marker' };
    const marker = file.uint8(at + 1);
    // A marker may be filled up with any number of FF.
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    if (isFrame(marker)) size = sized(file.uint16(at + 7), file.uint16(at + 5));
    if (marker === startOfScan) return hasEnd(file.bytes, at) ? size : { broken: 'it has no end' };
    const length = file.uint16(at + 2);
    if (length < 2) return { broken: 'a segment in it has no length' };
    at += 2 + length;
  }
  return { broken: 'it has no picture' };
}

function hasEnd(bytes: Uint8Array, from: number): boolean {
  for (let at = bytes.lastIndexOf(endOfImage); at > from; at = bytes.lastIndexOf(endOfImage, at - 1))
    if (bytes[at - 1] === 0xff) return true;
  return false;
}
