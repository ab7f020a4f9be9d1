import type { Line, Lines } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';

/** What a handler has of a body that it fetches, and whether it waits for its client. */
export interface FetchedBody {
  /** How often a piece has come. */
  readonly piecesCount: number;
  readonly isWaiting: boolean;
}

/** @throws {AppError} when the body cannot be read to its end */
export async function readBytes(core: CoreConnection, body: number, signal: AbortSignal): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  for (;;) {
    const { bytes, done } = await core.call('http.read', { body }, { signal });
    if (bytes !== undefined) pieces.push(Buffer.from(bytes, 'base64'));
    if (done) return Buffer.concat(pieces);
  }
}

/** The lines of a body, fetched as they are read. */
export function createLines(
  core: CoreConnection,
  body: number,
): { readonly lines: Lines; readonly fetched: FetchedBody } {
  const fetched = { piecesCount: 0, isWaiting: false };

  async function* read(): AsyncGenerator<Line> {
    for (;;) {
      fetched.isWaiting = true;
      const { lines = [], done } = await core.call('http.read', { body });
      fetched.isWaiting = false;
      if (lines.length > 0) fetched.piecesCount += 1;
      yield* lines;
      if (done) return;
    }
  }
  return { lines: read(), fetched };
}
