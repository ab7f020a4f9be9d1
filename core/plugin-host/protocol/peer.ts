import type { Duplex } from 'node:stream';
import { AppError } from '#core/errors/app-error.ts';
import { toWireError, type WireError } from '#core/errors/wire-error.ts';
import { createFrameDecoder, createFrameEncoder } from './frame-codec.ts';
import { checkFrame } from './frame-check.ts';
import type { Frame, NoteFrame } from './frame.ts';
import { createIncomingCalls, type IncomingCall, type IncomingCalls } from './incoming-calls.ts';
import { createOutgoingCalls, type CallOptions, type OutgoingCalls } from './outgoing-calls.ts';
import { ProtocolViolation } from './protocol-violation.ts';

export interface PeerOptions {
  readonly stream: Duplex;
  readonly frameMaxBytes: number;
  /** In each direction; above it the sender queues and the receiver stops reading. */
  readonly callsInFlightMax: number;
  readonly callsQueuedMax: number;
  readonly callTimeoutMs: number;
  readonly onCall: (call: IncomingCall) => unknown;
  readonly onNote: (note: NoteFrame) => void;
  /** How an error of the other side is thrown here. */
  readonly toError: (wire: WireError) => Error;
  /** Called once, when the other side broke the protocol. The peer has stopped; the caller ends the process. */
  readonly onViolation: (violation: ProtocolViolation) => void;
  /** Called once, when the other side has gone. */
  readonly onClose: () => void;
  /** Stacks go from a plugin to the core's log, never the other way. @default false */
  readonly exposeStack?: boolean;
}

export interface Peer {
  call(method: string, args: unknown, options?: CallOptions): Promise<unknown>;
  note(method: string, args: unknown, traceparent?: string): void;
  /** Rejects what waits here with `error` and aborts what is being answered; nothing is read or sent any more. */
  close(error: Error): void;
  /** Resolves when no incoming call is being answered. */
  idle(): Promise<void>;
  readonly framesSent: number;
  readonly framesReceived: number;
  readonly outgoing: Pick<OutgoingCalls, 'inFlight' | 'queued' | 'traceparents'>;
  readonly incoming: Pick<IncomingCalls, 'size' | 'traceparents'>;
}

/**
 * One end of a symmetric call protocol over a stream. Memory is bounded in every direction: calls in flight, calls
 * that wait, the frame being read, and bytes that the other side does not take.
 */
export function createPeer(options: PeerOptions): Peer {
  const { stream } = options;
  let closed = false;
  let reading = true;
  let framesSent = 0;
  let framesReceived = 0;
  const unsentMaxBytes = 4 * options.frameMaxBytes;

  const encoder = createFrameEncoder({
    frameMaxBytes: options.frameMaxBytes,
    write: (chunk) => {
      if (closed || !stream.writable) return;
      stream.write(chunk);
      if (stream.writableLength > unsentMaxBytes) {
        violate(
          new ProtocolViolation(`${stream.writableLength} bytes wait for a reader, at most ${unsentMaxBytes} may`),
        );
      } else if (stream.writableNeedDrain) updateReading();
    },
  });
  const decoder = createFrameDecoder({
    frameMaxBytes: options.frameMaxBytes,
    onFrame: (frame) => receive(checkFrame(frame)),
  });
  const outgoing = createOutgoingCalls({
    ...options,
    writable: () => !stream.writableNeedDrain,
    send,
  });
  const incoming = createIncomingCalls({
    callsInFlightMax: options.callsInFlightMax,
    run: options.onCall,
    answer,
    fail: (id, error) => sendError(id, error),
    onSettled: () => {
      if (!reading) updateReading();
    },
  });

  function send(frame: Frame): void {
    encoder.send(frame);
    framesSent += 1;
  }

  function answer(id: number, value: unknown): void {
    if (closed) return;
    try {
      send({ t: 'ok', id, value });
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      sendError(id, new AppError('INVALID_CALL', `Cannot answer call: ${what}`));
    }
  }

  function sendError(id: number, error: unknown): void {
    if (closed) return;
    const wire = toWireError(error);
    const visible = options.exposeStack === true ? wire : withoutStack(wire);
    try {
      send({ t: 'error', id, error: visible });
    } catch {
      // Its details do not fit a frame, or are no JSON: the code and the message still tell what happened.
      send({ t: 'error', id, error: { code: wire.code.slice(0, 64), message: wire.message.slice(0, 1024) } });
    }
  }

  function receive(frame: Frame): void {
    if (closed) return;
    framesReceived += 1;
    switch (frame.t) {
      case 'call':
        incoming.accept(frame);
        if (incoming.full) updateReading();
        break;
      case 'ok':
        outgoing.answer(frame.id, frame.value);
        break;
      case 'error':
        outgoing.fail(frame.id, options.toError(frame.error));
        break;
      case 'cancel':
        incoming.cancel(frame.id, new AppError('CANCELLED', 'Cannot finish call: the caller no longer waits'));
        break;
      case 'note':
        options.onNote(frame);
        break;
    }
  }

  /** Who sends without taking the answers, or more than it may, is simply not read: its own pipe fills, not our memory. */
  function updateReading(): void {
    if (closed) return;
    const wanted = !incoming.full && !stream.writableNeedDrain;
    if (wanted === reading) return;
    reading = wanted;
    if (!wanted) {
      decoder.pause();
      stream.pause();
      return;
    }
    guarded(() => decoder.resume());
    if (reading) stream.resume();
  }

  function guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      violate(error);
    }
  }

  function violate(violation: ProtocolViolation): void {
    if (closed) return;
    // The owner closes with an error that says what it means for who waits; if it does not, this one is told.
    options.onViolation(violation);
    close(violation);
  }

  function close(error: Error): void {
    if (closed) return;
    closed = true;
    decoder.pause();
    stream.pause();
    incoming.cancelAll(error);
    outgoing.failAll(error);
  }

  stream.on('data', (chunk: Buffer) => {
    if (!closed) guarded(() => decoder.push(chunk));
  });
  stream.on('drain', () => {
    updateReading();
    outgoing.sendQueued();
  });
  // A killed process resets its end; unhandled, that error would end the core.
  stream.on('error', () => stream.destroy());
  stream.once('close', () => options.onClose());
  stream.once('end', () => stream.destroy());

  return {
    call: (method, args, callOptions = {}) =>
      closed
        ? Promise.reject(new AppError('PLUGIN_UNAVAILABLE', `Cannot call ${method}: the connection is closed`))
        : outgoing.call(method, args, callOptions),
    note(method, args, traceparent) {
      if (closed || stream.writableLength > unsentMaxBytes / 2) return;
      send({ t: 'note', method, args, ...(traceparent === undefined ? {} : { traceparent }) });
    },
    close,
    idle: () => incoming.idle(),
    get framesSent() {
      return framesSent;
    },
    get framesReceived() {
      return framesReceived;
    },
    outgoing,
    incoming,
  };
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
