import { createByteReader, type ByteReader } from './byte-reader.ts';
import { readJpeg } from './jpeg.ts';
import { readPdf } from './pdf.ts';
import { readPng } from './png.ts';
import type { Shape } from './shape.ts';
import { readWebp } from './webp.ts';

export const contentTypes = ['application/pdf', 'image/png', 'image/jpeg', 'image/webp'] as const;
export type ContentType = (typeof contentTypes)[number];

export type Recognised =
  | {
      readonly kind: 'document';
      readonly type: ContentType;
      readonly width: number | null;
      readonly height: number | null;
    }
  /** It begins as one of ours and does not go on so. */
  | { readonly kind: 'broken'; readonly type: ContentType; readonly what: string }
  /** None of ours; what it looks like, for who wonders. */
  | { readonly kind: 'unknown'; readonly looksLike: string };

interface Format {
  readonly begins: RegExp;
  readonly read: (file: ByteReader) => Shape;
}

const formats: Readonly<Record<ContentType, Format>> = {
  'application/pdf': { begins: /^%PDF-/, read: readPdf },
  'image/png': { begins: /^\x89PNG\r\n/, read: readPng },
  'image/jpeg': { begins: /^\xff\xd8\xff/, read: readJpeg },
  'image/webp': { begins: /^RIFF.{4}WEBP/s, read: readWebp },
};

/** What people send instead, and what it is called. */
const others: readonly (readonly [RegExp, string])[] = [
  [/^GIF8/, 'a GIF picture'],
  [/^.{4}ftyp(heic|heix|mif1|msf1|avif)/s, 'a HEIC or AVIF picture'],
  [/^.{4}ftyp/s, 'a video'],
  [/^(II\*\0|MM\0\*)/, 'a TIFF picture'],
  [/^BM/, 'a BMP picture'],
  [/^PK/, 'a ZIP archive, or a document of an office program'],
  [/^(\x7fELF|MZ|#!)/, 'a program'],
  [/^\s*(<!doctype html|<html|<script)/i, 'a web page'],
  [/^\s*(<\?xml|<svg)/i, 'XML or SVG'],
  [/^[\t\n\r\x20-\x7e]+$/, 'text'],
];
const beginningBytes = 64;

/** What a file is, by what is in it. Its name and what its sender calls it say nothing. */
export function recognise(bytes: Uint8Array): Recognised {
  const file = createByteReader(bytes);
  const beginning = file.text(0, beginningBytes);
  for (const type of contentTypes) {
    const { begins, read } = formats[type];
    if (!begins.test(beginning)) continue;
    const shape = read(file);
    return 'broken' in shape ? { kind: 'broken', type, what: shape.broken } : { kind: 'document', type, ...shape };
  }
  const looksLike = others.find(([pattern]) => pattern.test(beginning))?.[1] ?? 'nothing known';
  return { kind: 'unknown', looksLike };
}
