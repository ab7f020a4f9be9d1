import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { recognise } from '../../../plugins/orders/documents/recognise.ts';
import { toJpeg, toPdf, toPng, toWebp } from './files.ts';

const files = {
  'application/pdf': toPdf(),
  'image/png': toPng(640, 480),
  'image/jpeg': toJpeg(640, 480),
  'image/webp': toWebp('VP8X', 640, 480),
} as const;

describe('recognise()', () => {
  for (const [type, file] of Object.entries(files)) {
    it(`tells ${type} by what is in it, with the size of a picture`, () => {
      const size = type === 'application/pdf' ? { width: null, height: null } : { width: 640, height: 480 };
      assert.deepEqual(recognise(file), { kind: 'document', type, ...size });
    });

    it(`takes no part of a file for ${type}: what broke off is seen`, () => {
      for (let length = 0; length < file.length; length += 1) {
        // A line's end behind the end is no part of it.
        if (type === 'application/pdf' && length === file.length - 1) continue;
        assert.notEqual(recognise(file.subarray(0, length)).kind, 'document', `${length} of ${file.length} bytes`);
      }
    });
  }

  it('knows each form of WebP', () => {
    for (const form of ['VP8L', 'VP8 '] as const)
      assert.deepEqual(recognise(toWebp(form, 321, 123)), {
        kind: 'document',
        type: 'image/webp',
        width: 321,
        height: 123,
      });
  });

  it('sees any byte of a PNG that is not as it was', () => {
    const png = files['image/png'];
    fc.assert(
      fc.property(fc.nat(png.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Buffer.from(png);
        changed[at] = (changed[at] ?? 0) ^ change;
        assert.notEqual(recognise(changed).kind, 'document');
      }),
      { numRuns: 300 },
    );
  });

  it('takes what cameras put behind a JPEG, and nothing behind a PNG', () => {
    const more = Buffer.from('<script>alert(1)</script>');
    assert.equal(recognise(Buffer.concat([files['image/jpeg'], more])).kind, 'document');
    assert.deepEqual(recognise(Buffer.concat([files['image/png'], more])), {
      kind: 'broken',
      type: 'image/png',
      what: 'something follows its end',
    });
  });

  it('refuses sizes that no picture has', () => {
    for (const [width, height] of [
      [0, 10],
      [40_000, 10],
    ] as const)
      assert.deepEqual(recognise(toJpeg(width, height)), {
        kind: 'broken',
        type: 'image/jpeg',
        what: `its size cannot be ${width} × ${height}`,
      });
  });

  it('says what other files look like', () => {
    const told = {
      'GIF89a…': 'a GIF picture',
      '\0\0\0\x18ftypheic': 'a HEIC or AVIF picture',
      '\0\0\0\x18ftypmp42': 'a video',
      'II*\0': 'a TIFF picture',
      BM6: 'a BMP picture',
      'PK\x03\x04': 'a ZIP archive, or a document of an office program',
      '#!/bin/sh': 'a program',
      '\x7fELF': 'a program',
      '  <!DOCTYPE html>': 'a web page',
      '<svg xmlns="x">': 'XML or SVG',
      'just text': 'text',
      '': 'nothing known',
      '\0\x01\x02': 'nothing known',
    };
    for (const [text, looksLike] of Object.entries(told))
      assert.deepEqual(recognise(Buffer.from(text, 'latin1')), { kind: 'unknown', looksLike }, text);
  });

  it('never fails, whatever follows a beginning that it knows', () => {
    const beginnings = Object.values(files).map((file) => file.subarray(0, 16));
    fc.assert(
      fc.property(fc.constantFrom(...beginnings), fc.uint8Array({ maxLength: 200 }), (beginning, rest) => {
        assert.notEqual(recognise(Buffer.concat([beginning, rest])).kind, undefined);
      }),
      { numRuns: 1000 },
    );
  });
});
