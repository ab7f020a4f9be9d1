import type { BodyReader } from './body-reader.ts';
import type { BodyPiece, BodyPieces } from './body-stream.ts';

/** A body as bytes, in pieces of at most so many. */
export class ByteBody implements BodyPieces {
  readonly #reader: BodyReader;
  readonly #pieceBytesMax: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(reader: BodyReader, pieceBytesMax: number) {
    this.#reader = reader;
    this.#pieceBytesMax = pieceBytesMax;
  }

  async next(): Promise<BodyPiece> {
    if (this.#rest.length === 0) {
      const chunk = await this.#reader.read();
      if (chunk === undefined) return { done: true };
      this.#rest = chunk;
    }
    const piece = this.#rest.subarray(0, this.#pieceBytesMax);
    this.#rest = this.#rest.subarray(piece.length);
    return { bytes: piece.toString('base64'), done: false };
  }
}
