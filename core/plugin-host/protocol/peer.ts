import type { Duplex } from 'node:stream';
import { AppError } from '#core/errors/app-error.ts';
import { toWireError, type WireError } from '#core/errors/wire-error.ts';
import { createFrameDecoder, createFrameEncoder, type FrameDecoder, type FrameEncoder } from './frame-codec.ts';
import { checkFrame } from './frame-check.ts';
import type { Frame, NoteFrame, Origin } from './frame.ts';
import { IncomingCalls, type IncomingCall } from './incoming-calls.ts';
import { createNoteLimit, type NoteLimit } from './note-limit.ts';
import { OutgoingCalls, type CallOptions } from './outgoing-calls.ts';
import { ProtocolViolation } from './protocol-violation.ts';

export interface PeerOptions {
  readonly stream: Duplex;
  readonly frameMaxBytes: number;
  /** In each direction; above it the sender queues and the receiver stops reading. */
  readonly callsInFlightMax: number;
  readonly callsQueuedMax: number;
  readonly callTimeoutMs: number;
  /** Notes taken in a second; more are dropped unread. @default without limit */
  readonly notesPerSecondMax?: number;
  readonly onCall: (call: IncomingCall) => unknown;
  readonly onNote: (note: NoteFrame) => void;
  /** How an error of the other side is thrown here. */
  readonly toError: (wire: WireError) => Error;
  /** Called once, when the other side broke the protocol. The peer has stopped; the caller ends the process. */
  readonly onViolation: (violation: ProtocolViolation) => void;
  /** Called once, when so many notes had to be dropped that it is no burst any more. */
  readonly onFlood?: (dropped: number) => void;
  /** Called once, when the other side has gone. */
  readonly onClose: () => void;
  /** Stacks go from a plugin to the core's log, never the other way. @default false */
  readonly exposeStack?: boolean;
}

export interface Peer {
  call(method: string, args: unknown, options?: CallOptions): Promise<unknown>;
  note(method: string, args: unknown, origin?: Origin): void;
  /** Rejects what waits here with `error` and aborts what is being answered; nothing is read or sent any more. */
  close(error: Error): void;
  /** Resolves when no incoming call is being answered. */
  idle(): Promise<void>;
  readonly framesSent: number;
  readonly framesReceived: number;
  readonly notesDropped: number;
  readonly outgoing: Pick<OutgoingCalls, 'inFlight' | 'queued' | 'traceparents'>;
  readonly incoming: Pick<IncomingCalls, 'size' | 'traceparents'>;
}

/**
 * One end of a symmetric call protocol over a stream. Memory is bounded in every direction: calls in flight, calls
 * that wait, the frame being read, and bytes that the other side does not take.
 */
export function createPeer(options: PeerOptions): Peer {
  return new StreamPeer(options);
}

class StreamPeer implements Peer {
  readonly outgoing: OutgoingCalls;
  readonly incoming: IncomingCalls;
  framesSent = 0;
  framesReceived = 0;
  readonly #options: PeerOptions;
  readonly #stream: Duplex;
  readonly #encoder: FrameEncoder;
  readonly #decoder: FrameDecoder;
  readonly #notes: NoteLimit;
  readonly #unsentMaxBytes: number;
  /** Whether the frame being read has been counted as a note already. */
  #counted = false;
  #closed = false;
  #reading = true;

  constructor(options: PeerOptions) {
    const { stream, frameMaxBytes, callsInFlightMax } = options;
    this.#options = options;
    this.#stream = stream;
    this.#unsentMaxBytes = 4 * frameMaxBytes;
    this.#notes = createNoteLimit({
      notesPerSecondMax: options.notesPerSecondMax ?? Infinity,
      onFlood: (dropped) => options.onFlood?.(dropped),
      now: () => performance.now(),
    });
    this.#encoder = createFrameEncoder({ frameMaxBytes, write: (chunk) => this.#write(chunk) });
    this.#decoder = createFrameDecoder({
      frameMaxBytes,
      onFrame: (frame) => this.#receive(checkFrame(frame)),
      skip: (data, start, bytes) => {
        this.#counted = isUnanswered(data, start);
        return this.#counted && this.#drops(bytes);
      },
    });
    this.outgoing = new OutgoingCalls({
      ...options,
      writable: () => !stream.writableNeedDrain,
      send: (frame) => this.#send(frame),
    });
    this.incoming = new IncomingCalls({
      callsInFlightMax,
      run: options.onCall,
      answer: (id, value) => this.#answer(id, value),
      fail: (id, error) => this.#sendError(id, error),
      onSettled: () => {
        if (!this.#reading) this.#updateReading();
      },
    });
    this.#listen();
  }

  get notesDropped(): number {
    return this.#notes.dropped;
  }

  call(method: string, args: unknown, options: CallOptions = {}): Promise<unknown> {
    if (!this.#closed) return this.outgoing.call(method, args, options);
    return Promise.reject(new AppError('PLUGIN_UNAVAILABLE', `Cannot call ${method}: the connection is closed`));
  }

  note(method: string, args: unknown, origin?: Origin): void {
    if (this.#closed || this.#stream.writableLength > this.#unsentMaxBytes / 2) return;
    this.#send({ t: 'note', method, args, ...origin });
  }

  close(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#decoder.pause();
    this.#stream.pause();
    this.incoming.cancelAll(error);
    this.outgoing.failAll(error);
  }

  idle(): Promise<void> {
    return this.incoming.idle();
  }

  #listen(): void {
    const stream = this.#stream;
    stream.on('data', (chunk: Buffer) => {
      if (!this.#closed) this.#guarded(() => this.#decoder.push(chunk));
    });
    stream.on('drain', () => {
      this.#updateReading();
      this.outgoing.sendQueued();
    });
    // A killed process resets its end; unhandled, that error would end the core.
    stream.on('error', () => stream.destroy());
    stream.once('close', () => this.#options.onClose());
    stream.once('end', () => stream.destroy());
  }

  #write(chunk: Buffer): void {
    const stream = this.#stream;
    if (this.#closed || !stream.writable) return;
    stream.write(chunk);
    if (stream.writableLength > this.#unsentMaxBytes) {
      const what = `${stream.writableLength} bytes wait for a reader, at most ${this.#unsentMaxBytes} may`;
      this.#violate(new ProtocolViolation(what));
    } else if (stream.writableNeedDrain) this.#updateReading();
  }

  #send(frame: Frame): void {
    // What nobody answers stays alone: the receiver lets it fall unread when it is too much.
    this.#encoder.send(frame, { join: frame.t !== 'note' && frame.t !== 'cancel' });
    this.framesSent += 1;
  }

  #answer(id: number, value: unknown): void {
    if (this.#closed) return;
    try {
      this.#send({ t: 'ok', id, value });
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      this.#sendError(id, new AppError('INVALID_CALL', `Cannot answer call: ${what}`));
    }
  }

  #sendError(id: number, error: unknown): void {
    if (this.#closed) return;
    const wire = toWireError(error);
    const visible = this.#options.exposeStack === true ? wire : withoutStack(wire);
    try {
      this.#send({ t: 'error', id, error: visible });
    } catch {
      // Its details do not fit a frame, or are no JSON: the code and the message still tell what happened.
      this.#send({ t: 'error', id, error: { code: wire.code.slice(0, 64), message: wire.message.slice(0, 1024) } });
    }
  }

  /** Over the limit a note is dropped before it is parsed: a flood must cost the receiver next to nothing. */
  #drops(bytes: number): boolean {
    if (this.#closed || this.#notes.take(bytes)) return false;
    this.framesReceived += 1;
    return true;
  }

  #receive(frame: Frame): void {
    if (this.#closed) return;
    this.framesReceived += 1;
    const unanswered = frame.t === 'note' || frame.t === 'cancel';
    if (unanswered && !this.#counted && !this.#notes.take(0)) return;
    switch (frame.t) {
      case 'call':
        this.incoming.accept(frame, this.#traceparentOf(frame));
        if (this.incoming.full) this.#updateReading();
        break;
      case 'ok':
        this.outgoing.answer(frame.id, frame.value);
        break;
      case 'error':
        this.outgoing.fail(frame.id, this.#options.toError(frame.error));
        break;
      case 'cancel':
        this.incoming.cancel(frame.id, new AppError('CANCELLED', 'Cannot finish call: the caller no longer waits'));
        break;
      case 'note':
        this.#options.onNote({ ...frame, traceparent: this.#traceparentOf(frame) });
        break;
    }
  }

  #traceparentOf({ within, traceparent }: Origin): string | undefined {
    return within === undefined ? traceparent : this.outgoing.traceparentOf(within, traceparent);
  }

  /** Who sends without taking the answers, or more than it may, is simply not read: its own pipe fills, not our memory. */
  #updateReading(): void {
    if (this.#closed) return;
    const wanted = !this.incoming.full && !this.#stream.writableNeedDrain;
    if (wanted === this.#reading) return;
    this.#reading = wanted;
    if (!wanted) {
      this.#decoder.pause();
      this.#stream.pause();
      return;
    }
    this.#guarded(() => this.#decoder.resume());
    if (this.#reading) this.#stream.resume();
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#violate(error);
    }
  }

  #violate(violation: ProtocolViolation): void {
    if (this.#closed) return;
    // The owner closes with an error that says what it means for who waits; if it does not, this one is told.
    this.#options.onViolation(violation);
    this.close(violation);
  }
}

/**
 * Whether a frame is one that nobody answers, a note or a cancellation, told by how the encoder begins it:
 * `{"t":"note"`, `{"t":"cancel"`. One that begins otherwise is read in full, and then it is known.
 */
function isUnanswered(data: Buffer, start: number): boolean {
  const first = data[start + 6];
  return data[start + 5] === 0x22 && (first === 0x6e || (first === 0x63 && data[start + 8] === 0x6e));
}

function withoutStack(wire: WireError): WireError {
  const { code, message, details, cause } = wire;
  return {
    code,
    message,
    ...(details === undefined ? {} : { details }),
    ...(cause === undefined ? {} : { cause: withoutStack(cause) }),
  };
}
