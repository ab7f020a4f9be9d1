import { Duplex } from 'node:stream';
import { packetTypes, readAcknowledgedId, readHeader, readPublishHead, type PublishHead } from './frame.ts';
import type { ReadTurn } from './read-turn.ts';
import { HeldAcknowledgements } from './held-acknowledgements.ts';

/**
 * `wait`: the packet and all behind it stay in the socket until `retry()`. `drop`: it is passed over in silence.
 * `take`: a PUBLISH of quality of service 1 that the owner handles without the library, which costs most of the way.
 */
export type Admission = 'pass' | 'wait' | 'drop' | 'take';

export interface FrameGateOptions {
  readonly socket: Duplex;
  /** A larger packet ends the connection before it is buffered. */
  readonly packetMaxBytes: number;
  /** Acknowledgements leave in the order of receipt. */
  readonly ordered: boolean;
  /** Nothing that follows the first packet passes before a CONNACK has left: the server's side of a connection. */
  readonly connectFirst: boolean;
  /**
   * Asked once for each new PUBLISH, and again after `wait`. Not for a repetition of one that is still held. `take` is open
   * while the library has read all that came before: it would be overtaken otherwise.
   */
  readonly admit: (head: PublishHead, mayTake: boolean) => Admission;
  /** Called for each message of which `admit` said so. */
  readonly take?: (head: PublishHead) => void;
  readonly onRefused?: (reason: 'packet-too-large' | 'malformed') => void;
  /** When it is over, what has been received waits for the next one. @default without an end */
  readonly turn?: ReadTurn;
  /** Milliseconds of any clock that only goes forward. @default performance.now */
  readonly now?: () => number;
}

/** Acknowledgements that a peer leaves unread; above this nothing more is read from it. */
const unreadMaxBytes = 262_144;
/** A second of keep-alive and half as much. */
const keepaliveGraceMs = 1500;

/**
 * Stands between a socket and an MQTT library, on either side of a connection. It bounds packets before they are buffered,
 * lets the owner admit each PUBLISH, and holds PUBACK and PUBREC until the owner releases them, while everything else,
 * PINGRESP above all, flows. The library writes its acknowledgement at once and goes on reading; the peer gets it later.
 */
export class FrameGate extends Duplex {
  readonly #options: FrameGateOptions;
  readonly #held: HeldAcknowledgements;
  #inbound: Buffer = Buffer.alloc(0);
  #outbound: Buffer = Buffer.alloc(0);
  #wanted = false;
  #waiting = false;
  #waitsForTurn = false;
  #ended = false;
  #frames = 0;
  #connected: boolean;
  readonly #now: () => number;
  #keepalive: NodeJS.Timeout | undefined;
  #newestFrameAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: FrameGateOptions) {
    super();
    this.#options = options;
    this.#connected = !options.connectFirst;
    this.#now = options.now ?? (() => performance.now());
    this.#held = new HeldAcknowledgements({
      ordered: options.ordered,
      send: (frames) => {
        if (!options.socket.destroyed) options.socket.write(frames);
        this.retry();
      },
    });
    const { socket } = options;
    socket.on('data', (chunk: Buffer) => {
      this.#inbound = this.#inbound.length === 0 ? chunk : Buffer.concat([this.#inbound, chunk]);
      this.#pump();
    });
    socket.on('drain', () => this.retry());
    socket.on('end', () => {
      this.#ended = true;
      this.#pump();
    });
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** Messages received on this connection and not yet acknowledged. */
  get held(): number {
    return this.#held.size;
  }

  get waiting(): boolean {
    return this.#waiting;
  }

  /** Bytes received that the library has not read, and bytes for the peer that the system has not taken. */
  get buffered(): { readonly received: number; readonly unsent: number } {
    return {
      received: this.#inbound.length + this.readableLength,
      unsent: this.writableLength + this.#outbound.length + this.#options.socket.writableLength,
    };
  }

  release(messageId: number): void {
    this.#held.release(messageId);
  }

  /**
   * Ends the connection when no packet has come for one and a half times as long [MQTT-3.1.2-24]; 0 never does. Counted
   * here, since the library does not see every packet. A peer whose packets wait here is not silent.
   */
  setKeepalive(seconds: number): void {
    clearTimeout(this.#keepalive);
    if (seconds === 0 || this.destroyed) return;
    const silentMaxMs = seconds * keepaliveGraceMs;
    const check = (): void => {
      if (this.#isFull) this.#newestFrameAtMs = this.#now();
      const leftMs = this.#newestFrameAtMs + silentMaxMs - this.#now();
      if (leftMs > 0) this.#keepalive = setTimeout(check, Math.ceil(leftMs));
      else this.destroy(new Error('keep alive timeout'));
    };
    this.#newestFrameAtMs = this.#now();
    this.#keepalive = setTimeout(check, silentMaxMs);
  }

  /** Whether a packet has come within that time. A peer whose packets wait here is not silent. */
  hasHeard(withinMs: number): boolean {
    return this.#isFull || this.#now() - this.#newestFrameAtMs <= withinMs;
  }

  get #isFull(): boolean {
    return this.#waiting || !this.#wanted;
  }

  /** Asks again for a packet that had to wait. */
  retry(): void {
    this.#waiting = false;
    this.#pump();
  }

  override _read(): void {
    this.#wanted = true;
    this.#pump();
  }

  #pump(): void {
    if (this.destroyed) return;
    const framesBefore = this.#frames;
    let start = 0;
    let end = 0;
    while (this.#wanted && !this.#waiting) {
      if (this.#options.turn?.isOver === true) {
        this.#waitForTurn(this.#options.turn);
        break;
      }
      const step = this.#next(end, end === start);
      if (step === 'incomplete') break;
      if (step === 'refused') return;
      if (step.admission === 'wait') {
        this.#waiting = true;
        break;
      }
      this.#frames += 1;
      if (step.admission === 'pass') {
        end += step.bytes;
        continue;
      }
      if (end > start) this.#wanted = this.push(this.#inbound.subarray(start, end));
      end += step.bytes;
      start = end;
    }
    if (end > start) this.#wanted = this.push(this.#inbound.subarray(start, end));
    this.#inbound = this.#inbound.subarray(end);
    if (this.#frames > framesBefore) this.#newestFrameAtMs = this.#now();
    this.#regulate();
  }

  #waitForTurn(turn: ReadTurn): void {
    this.#waiting = true;
    if (this.#waitsForTurn) return;
    this.#waitsForTurn = true;
    turn.onNext(() => {
      this.#waitsForTurn = false;
      this.retry();
    });
  }

  #regulate(): void {
    const { socket } = this.#options;
    if (this.#ended) {
      // What is left is waiting for room or is the beginning of a packet that will never be whole.
      if (!this.#waiting && this.#wanted) this.push(null);
    } else if (this.#waiting || !this.#wanted) {
      socket.pause();
    } else {
      socket.resume();
    }
  }

  #next(
    offset: number,
    isFirst: boolean,
  ): 'incomplete' | 'refused' | { readonly admission: Admission; readonly bytes: number } {
    const header = readHeader(this.#inbound, offset);
    if (header === undefined) return 'incomplete';
    if (header === null) return this.#refuse('malformed');
    if (header.totalBytes > this.#options.packetMaxBytes) return this.#refuse('packet-too-large');
    if (this.#inbound.length - offset < header.totalBytes) return 'incomplete';
    // Held back as a whole: the library need not queue what follows a CONNECT, and unread output is bounded.
    if (!this.#connected && this.#frames > 0) return { admission: 'wait', bytes: header.totalBytes };
    if (this.#options.socket.writableLength > unreadMaxBytes) return { admission: 'wait', bytes: header.totalBytes };
    if (header.type !== packetTypes.publish) return { admission: 'pass', bytes: header.totalBytes };
    const head = readPublishHead(this.#inbound, offset, header);
    return head === null
      ? this.#refuse('malformed')
      : { admission: this.#admit(head, isFirst), bytes: header.totalBytes };
  }

  #admit(head: PublishHead, isFirst: boolean): Admission {
    const { qos, messageId } = head;
    if (qos > 0 && this.#held.has(messageId)) {
      // Sent again while the first is still held: one acknowledgement will answer both. Where the library has yet to write
      // it, and for quality of service 2, it sees the repetition too, and the owner recognises it.
      return qos === 1 && this.#held.isWritten(messageId) ? 'drop' : 'pass';
    }
    const admission = this.#options.admit(head, isFirst && this.readableLength === 0);
    if (admission === 'pass' && qos > 0) this.#held.register(messageId);
    if (admission === 'take') {
      this.#held.registerOwn(messageId);
      this.#options.take?.(head);
    }
    return admission;
  }

  #refuse(reason: 'packet-too-large' | 'malformed'): 'refused' {
    this.#options.onRefused?.(reason);
    this.destroy();
    return 'refused';
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#forward([typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk], done);
  }

  override _writev(
    chunks: readonly { chunk: Buffer | string; encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#forward(
      chunks.map(({ chunk, encoding }) => (typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk)),
      done,
    );
  }

  /** Only whole packets reach the socket, so that a released acknowledgement never lands inside another packet. */
  #forward(chunks: readonly Buffer[], done: () => void): void {
    this.#outbound = Buffer.concat([this.#outbound, ...chunks]);
    const passed: Buffer[] = [];
    let offset = 0;
    for (;;) {
      const header = readHeader(this.#outbound, offset);
      if (!header || this.#outbound.length - offset < header.totalBytes) break;
      const frame = this.#outbound.subarray(offset, offset + header.totalBytes);
      offset += header.totalBytes;
      if (header.type === packetTypes.connack) this.#connected = true;
      if (!this.#hold(frame, header)) passed.push(frame);
    }
    this.#outbound = this.#outbound.subarray(offset);
    if (this.#connected && this.#frames === 1) setImmediate(() => this.retry());
    const { socket } = this.#options;
    if (passed.length === 0 || socket.destroyed || socket.write(Buffer.concat(passed))) return done();
    socket.once('drain', done);
  }

  #hold(frame: Buffer, header: NonNullable<ReturnType<typeof readHeader>>): boolean {
    if (header.type !== packetTypes.puback && header.type !== packetTypes.pubrec) return false;
    const messageId = readAcknowledgedId(frame, header);
    // The reader registered every message that it let through. What is not registered was acknowledged before.
    if (messageId !== undefined) this.#held.write(messageId, frame);
    return true;
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#options.socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#keepalive);
    this.#held.clear();
    this.#options.socket.destroy();
    done(error);
  }
}
