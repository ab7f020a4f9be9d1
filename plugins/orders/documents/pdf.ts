import type { ByteReader } from './byte-reader.ts';
import type { Shape } from './shape.ts';

/** Readers look for the end in so many bytes (ISO 32000-1, Annex H). */
const tailBytes = 1024;

/** A version at the beginning; at the end the mark that says so and where the cross-references are, within the file. */
export function readPdf(file: ByteReader): Shape {
  if (!/^%PDF-[12]\.\d/.test(file.text(0, 8))) return { broken: 'its version is not known' };
  const tail = file.text(Math.max(0, file.bytes.length - tailBytes), tailBytes);
  const end = /startxref\s+(\d{1,10})\s+%%EOF\s*$/.exec(tail);
  if (end === null) return { broken: 'it has no end' };
  return Number(end[1]) < file.bytes.length
    ? { width: null, height: null }
    : { broken: 'its cross-references lie behind its end' };
}
