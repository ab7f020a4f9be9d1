import { pipeline, type Readable } from 'node:stream';
import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';

// As browsers do: an answer that ends early, or is empty, is not an error of the encoding.
const zlibOptions = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
const brotliOptions = { flush: constants.BROTLI_OPERATION_FLUSH, finishFlush: constants.BROTLI_OPERATION_FLUSH };
const zstdOptions = { flush: constants.ZSTD_e_continue, finishFlush: constants.ZSTD_e_continue };

const decoders: ReadonlyMap<string, () => NodeJS.ReadWriteStream> = new Map([
  ['gzip', () => createGunzip(zlibOptions)],
  ['x-gzip', () => createGunzip(zlibOptions)],
  ['deflate', () => createInflate(zlibOptions)],
  ['br', () => createBrotliDecompress(brotliOptions)],
  ['zstd', () => createZstdDecompress(zstdOptions)],
]);

/** Nobody encodes twice; a hundred times is an attack. */
const encodingsMax = 2;

/**
 * A whole body, decoded; when it has more than `maxBytes`, undefined, or with `cut` its beginning. What is too large is not
 * read to its end, however small it is while encoded. A body in an encoding that is not known stays as it is (Fetch standard, "handle content codings").
 */
export async function readBody(
  body: Readable,
  options: { readonly contentEncoding: string; readonly maxBytes: number; readonly cut: boolean },
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of decode(body, options.contentEncoding) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    chunks.push(chunk);
    // Leaving the loop destroys the stream and with it the connection.
    if (bytes > options.maxBytes) return options.cut ? Buffer.concat(chunks, options.maxBytes) : undefined;
  }
  return Buffer.concat(chunks);
}

function decode(body: Readable, contentEncoding: string): NodeJS.ReadableStream {
  const names = contentEncoding
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');
  const known = names.flatMap((name) => decoders.get(name) ?? []);
  if (names.length === 0 || known.length < names.length || names.length > encodingsMax) return body;
  // The last one applied is the first to be undone. Whoever reads the result meets the error of any of them.
  return known
    .toReversed()
    .reduce<NodeJS.ReadableStream>((stream, create) => pipeline(stream, create(), () => undefined), body);
}
