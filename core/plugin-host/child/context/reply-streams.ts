import type { StreamReply } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import type { StreamHead, StreamPiece } from '../../protocol/calls.ts';
import type { HandlerCall } from '../core-connection.ts';
import { orWaiting } from './body-wait.ts';
import type { FetchedBody } from './request-body.ts';

export interface StreamedRequest {
  /** Cancelling it aborts the signal that the plugin's handler was given. */
  readonly request: Pick<HandlerCall, 'signal' | 'cancel'>;
  /** What the stream may be waiting for. */
  readonly fetched?: FetchedBody | undefined;
}

export interface ReplyStreams {
  /** Keeps the stream and answers its head. */
  open(reply: StreamReply, request: StreamedRequest): StreamHead;
  next(stream: number, call: Pick<HandlerCall, 'signal' | 'timeoutMs'>): Promise<StreamPiece>;
  end(stream: number): void;
}

/** Base64 makes four of three: a frame of 512 KiB holds any piece. */
const pieceBytesMax = 196_608;
/** Of one plugin process; the core opens fewer. */
const openMax = 256;
/**
 * The core ends every stream that it knows of. It does not know of one whose head crossed the cancellation of its
 * request; longer than this it never leaves one alone.
 */
const idleMaxMs = 120_000;

const nothing = new Uint8Array();

interface OpenStream extends StreamedRequest {
  readonly iterator: Iterator<string | Uint8Array> | AsyncIterator<string | Uint8Array>;
  readonly idle: NodeJS.Timeout;
  /** What was too long for one piece. */
  rest: Uint8Array;
  /** A piece that had not come when it was last asked for. */
  pending: Promise<StreamPiece> | undefined;
}

/** The streams that this plugin's handlers answered, until the core has all of their pieces or wants no more. */
export function createReplyStreams(): ReplyStreams {
  const streams = new Map<number, OpenStream>();
  let last = 0;

  function close(id: number, reason: Error): void {
    const stream = streams.get(id);
    if (stream === undefined) return;
    streams.delete(id);
    clearTimeout(stream.idle);
    stream.request.cancel(reason);
    void giveUp(stream.iterator);
  }

  return {
    open({ status, stream, contentType, headers }, { request, fetched }) {
      const iterator = toIterator(stream);
      if (request.signal.aborted || streams.size >= openMax) {
        void giveUp(iterator);
        throw new AppError('OVERLOADED', `Cannot open a stream: ${streams.size} are open, or nobody waits for it`);
      }
      last += 1;
      const id = last;
      const onIdle = (): void => close(id, new AppError('TIMEOUT', 'Cannot finish the stream: nobody asks for more'));
      const idle = setTimeout(onIdle, idleMaxMs);
      streams.set(id, { iterator, request, fetched, rest: nothing, idle, pending: undefined });
      return { status, contentType, stream: id, ...(headers === undefined ? {} : { headers }) };
    },
    async next(id, { signal, timeoutMs }) {
      const stream = streams.get(id);
      if (stream === undefined) throw new AppError('INVALID_CALL', `Cannot read stream ${id}: it is not open`);
      const onAbort = (): void => close(id, signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
      stream.idle.refresh();
      try {
        stream.pending ??= read(stream);
        const piece = await orWaiting(stream.pending, stream.fetched, timeoutMs);
        if (piece === undefined) return { bytes: '', done: false };
        stream.pending = undefined;
        if (piece.done) {
          streams.delete(id);
          clearTimeout(stream.idle);
        } else {
          // In the turn after the one in which this piece is sent.
          setImmediate(() => setImmediate(() => readAhead(stream)));
        }
        return piece;
      } catch (error) {
        close(id, error as Error);
        throw error;
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    },
    end: (id) => close(id, new AppError('CANCELLED', 'Cannot finish the stream: the client went away')),
  };
}

/** The next piece is made while the core hands on this one. Whoever asks for it is told how that failed. */
function readAhead(stream: OpenStream): void {
  if (stream.request.signal.aborted || stream.pending !== undefined) return;
  stream.pending = read(stream);
  stream.pending.catch(() => undefined);
}

function toIterator(stream: StreamReply['stream']): OpenStream['iterator'] {
  return Symbol.asyncIterator in stream ? stream[Symbol.asyncIterator]() : stream[Symbol.iterator]();
}

/** Text as bytes, too: JSON would write each quote of it as two characters, and read them more slowly still. */
async function read(stream: OpenStream): Promise<StreamPiece> {
  if (stream.rest.length === 0) {
    const { value, done } = await stream.iterator.next();
    if (done === true) return { bytes: '', done: true };
    if (typeof value !== 'string' && !(value instanceof Uint8Array))
      throw new TypeError(`A stream must give strings or bytes: it gave a ${typeof value}`);
    stream.rest = typeof value === 'string' ? Buffer.from(value) : value;
  }
  const piece = stream.rest.subarray(0, pieceBytesMax);
  stream.rest = stream.rest.subarray(piece.length);
  return { bytes: toBase64(piece), done: false };
}

function toBase64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

/** What the plugin's `finally` throws has no request left to fail. */
async function giveUp(iterator: OpenStream['iterator']): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // See above.
  }
}
